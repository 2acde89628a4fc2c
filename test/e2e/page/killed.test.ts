import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { temporaryDirectory } from "../../infra/local/fixture-assembly.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { withSharedAssembly } from "../../support/shared-assembly.ts";
import { startBrowser } from "../../support/start-browser.ts";

const { directory, remove } = temporaryDirectory();
let fake: FakeOpenAI;
let browser: Browser;
let child: ChildProcess | undefined;
beforeAll(async () => {
  [fake, browser] = await Promise.all([startFakeOpenAI(), startBrowser()]);
}, 120_000);
afterAll(async () => {
  await kill();
  // The engine of a killed host runs on until the next host ends it.
  const file = path.join(directory, "dynamodb", "engine.pid");
  if (existsSync(file)) process.kill(Number(/\d+/.exec(readFileSync(file, "utf8"))?.[0]), "SIGKILL");
  await Promise.all([browser.close(), fake.close()]);
  remove();
});

/** Starts the host in a process of its own. Returns its URL. */
async function start(port: string): Promise<string> {
  const main = path.resolve("infra/cli/start/start.ts");
  const { options, variables } = await withSharedAssembly();
  const started = spawn(process.execPath, [...options, main, "--port", port, "--data", directory], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...variables, OPENAI_BASE_URL: fake.url, EMBEDDING_MODEL: "lexical" },
  });
  child = started;
  let output = "";
  for await (const chunk of started.stdout ?? []) {
    output += String(chunk);
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? [];
    if (url && /Try it:[\s\S]*\n\n/.test(output)) {
      started.stdout?.resume();
      return url;
    }
  }
  throw new Error(`the host has ended:\n${output}`);
}

async function kill(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

it("the page loses nothing when the host is killed while an answer streams, and continues when it is back", {
  timeout: 240_000,
}, async () => {
  const url = await start("0");
  fake.always({ text: "word ".repeat(400), perToken: 100 });
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  await page.getByRole("button", { name: /Continue as dev/ }).click();
  const field = page.getByRole("textbox", { name: "Message" });
  await field.fill("Tell me a long story");
  await page.keyboard.press("Enter");
  await page.locator(".message.live", { hasText: "word word" }).waitFor();
  await field.fill("typed while it answers");

  await kill();
  fake.reset();
  await start(new URL(url).port);

  const question = page.locator(".message.user", { hasText: "Tell me a long story" });
  await question.waitFor();
  expect(await field.inputValue()).toBe("typed while it answers");
  // The page follows the answer by itself, or after "Try again" when the host was away for long, and sees that nothing more comes.
  const again = page.locator(".failure button:enabled, .ending button");
  const answer = page.locator(".message.assistant:not(.live)", { hasText: "You said:" });
  await expect
    .poll(
      async () => {
        if ((await again.count()) > 0)
          await again
            .first()
            .click({ timeout: 1000 })
            .catch(() => undefined);
        return await answer.count();
      },
      { timeout: 120_000, interval: 1000 },
    )
    .toBe(1);
  expect(await field.inputValue()).toBe("typed while it answers");
  await page.reload();
  await question.waitFor();
  expect(await field.inputValue()).toBe("typed while it answers");
});
