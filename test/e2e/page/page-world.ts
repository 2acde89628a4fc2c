import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import axe, { type AxeResults } from "axe-core";
import type { BrowserContextOptions, Page } from "playwright-core";
import { vi } from "vitest";
import { startMemocha } from "../../../infra/cli/start/start-memocha.ts";
import { createLog } from "../../../infra/local/log.ts";
import { temporaryDirectory } from "../../infra/local/fixture-assembly.ts";
import { startFakeOpenAI } from "../../support/fake-openai.ts";
import { sharedAssembly } from "../../support/shared-assembly.ts";
import { startBrowser } from "../../support/start-browser.ts";

/** Milliseconds that the page may take for anything: the machine is shared with other tests. */
const PATIENCE = 20_000;

interface OpenOptions extends BrowserContextOptions {
  user?: string;
  admin?: boolean;
  /** The view to open. @default a new chat */
  hash?: string;
  /** Where the host is reached. @default its own URL */
  url?: string;
}

/** The local host with a fake provider, and a browser. */
export async function startPageWorld({ tokenSeconds }: { tokenSeconds?: number } = {}) {
  const { directory, remove } = temporaryDirectory();
  const fake = await startFakeOpenAI();
  vi.stubEnv("OPENAI_BASE_URL", fake.url);
  vi.stubEnv("EMBEDDING_MODEL", "lexical");
  const log = createLog({ verbose: false, write: () => {} });
  const starting = startMemocha({
    assembly: await sharedAssembly(),
    data: directory,
    port: 0,
    log,
    ...(tokenSeconds !== undefined && { tokenSeconds }),
  });
  const [host, browser] = await Promise.all([starting, startBrowser()]);
  const { url } = host;
  const client = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };
  const lambda = new LambdaClient({ ...client, endpoint: host.endpoints.lambda });
  const dynamodb = new DynamoDBClient({ ...client, endpoint: host.endpoints.dynamodb });

  return {
    url,
    fake,
    /** Opens the page in a browser of its own and signs in. */
    async open({
      user = "dev",
      admin = false,
      hash = "",
      url: base = url,
      ...options
    }: OpenOptions = {}): Promise<Page> {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      await page.goto(`${base}/${hash}`);
      await page.getByLabel("Name").fill(user);
      if (admin) await page.getByLabel("is an admin").check();
      await page.getByRole("button", { name: "Continue", exact: true }).click();
      await page.locator("main").waitFor();
      return page;
    },
    async call(user: string, method: string, route: string, body?: object) {
      const response = await fetch(url + route, {
        method,
        headers: { authorization: `Bearer ${await host.token({ user })}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      return response.status === 204 ? undefined : await response.json();
    },
    /** Runs a job, and fails when it fails. */
    async run(job: string, event: object = {}): Promise<void> {
      const names = host.names("AWS::Lambda::Function");
      const logicalId = Object.keys(names).find((id) => id.startsWith(`${job.replaceAll("-", "")}Function`));
      const input = { FunctionName: names[logicalId ?? ""], Payload: JSON.stringify(event) };
      const { FunctionError, Payload } = await lambda.send(new InvokeCommand(input));
      if (FunctionError) throw new Error(`${job}: ${Buffer.from(Payload ?? []).toString()}`);
    },
    /** The client of the host's DynamoDB, and the names of the tables by the beginning of their logical ids. */
    dynamodb,
    tableOf(prefix: "Conversations" | "Metrics"): string {
      const names = host.names("AWS::DynamoDB::GlobalTable");
      const all = { ...names, ...host.names("AWS::DynamoDB::Table") };
      return all[Object.keys(all).find((id) => id.startsWith(prefix)) ?? ""] ?? "";
    },
    async close() {
      lambda.destroy();
      dynamodb.destroy();
      await browser.close();
      await host.stop();
      await fake.close();
      vi.unstubAllEnvs();
      remove();
    },
  };
}

export type PageWorld = Awaited<ReturnType<typeof startPageWorld>>;

/** Sends a message and waits for the whole answer. */
export async function ask(page: Page, text: string): Promise<void> {
  const answers = page.locator(".message.assistant:not(.live)");
  const before = await answers.count();
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
  await answers.nth(before).waitFor();
}

/** The rules of WCAG 2.2 AA that a view breaks, with what breaks them. */
export async function violations(page: Page): Promise<string[]> {
  // Both run in the browser's debugger, which the page's policy does not concern.
  await page.evaluate(axe.source);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = (await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(tags)} })`)) as AxeResults;
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("  ")}`);
}
