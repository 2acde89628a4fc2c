import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { loadIssuerKey } from "../../../../infra/local/issuer/issuer-key.ts";
import packageJson from "../../../../package.json" with { type: "json" };
import { type FakeApi, startFakeApi } from "./fake-api.ts";
import { chatgptConversation, plainLine } from "./fixtures.ts";
import { createScratch } from "./scratch.ts";

const ROOT = path.resolve(import.meta.dirname, "../../../..");
/** The command line of `npm run import`: node, its flags, the file. */
const [, ...COMMAND] = packageJson.scripts.import
  .split(" ")
  .map((word) => (word.endsWith(".ts") ? path.join(ROOT, word) : word));

let api: FakeApi;

beforeEach(async () => {
  api = await startFakeApi();
  onTestFinished(() => api.close());
});

interface Run {
  pid: number;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<{ code: number | null; out: string; err: string }>;
}

interface Surroundings {
  cwd?: string;
  /** Of node. */
  flags?: string[];
  token?: string | undefined;
}

function start(args: string[], { cwd, flags = [], token }: Surroundings = { token: "ann" }): Run {
  const env = { ...process.env, MEMOCHA_TOKEN: token };
  const child = spawn(process.execPath, [...flags, ...COMMAND, ...args], {
    cwd: cwd ?? createScratch().directory,
    env,
  });
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]).then(
    ([[code], out, err]) => ({ code: code as number | null, out, err }),
  );
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), ended };
}

describe("npm run import", () => {
  test("stores a file and prints a summary", async () => {
    const file = createScratch().write("chats.jsonl", plainLine("a", 3) + plainLine("b", 2));
    const first = await start([file, "--url", api.url]).ended;
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toMatch(
      /^imported +2\nalready there +0\nresumed +0\nskipped bad records +0\nfailed +0\nmessages stored +5\n2 sessions in /,
    );
    const second = await start([file, "--url", api.url, "--json"]).ended;
    expect(second.code).toBe(0);
    expect(JSON.parse(second.out)).toMatchObject({
      imported: 0,
      existing: 2,
      messages: 0,
      stopped: null,
      problems: [],
    });
  });

  test("exits with 1 and names the record when a record was skipped", async () => {
    const file = createScratch().write("chats.jsonl", `${plainLine("a", 3)}{"session":"b"}\n`);
    const { code, out, err } = await start([file, "--url", api.url]).ended;
    expect(code).toBe(1);
    expect(err).toBe(`skipped: ${file}, line 2, b: missing messages: an array\n`);
    expect(out).toContain("1 record was skipped; the rest is imported.");
  });

  test("exits with 1 when no server listens", async () => {
    const file = createScratch().write("chats.jsonl", plainLine("a", 3));
    const stopped = await startFakeApi();
    await stopped.close();
    const run = start([file, "--url", stopped.url]);
    const { code, err } = await run.ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^no API answers at http:\/\/127\.0\.0\.1:\d+: ECONNREFUSED \(\d attempts\)\. Is it running/);
  });

  test("makes a token for the running local host, and acts for the given user", async () => {
    const { directory, write } = createScratch();
    const data = path.join(directory, ".memocha");
    mkdirSync(data);
    await loadIssuerKey(data);
    write(".memocha/host.json", JSON.stringify({ pid: 1, url: api.url }));
    write("chats.jsonl", plainLine("a", 1));
    const seen: string[] = [];
    api.before = ({ user }) => void seen.push(user);
    const { err } = await start(["chats.jsonl", "--user", "alice"], { cwd: directory }).ended;
    // The fake API does not know JWTs. The answer shows that one was sent.
    expect(err).toContain("403: X-User-Id needs act-as");
  });

  test.each([
    [[], /^no file to import is given/],
    [["gone.jsonl"], /^gone\.jsonl: no such file/],
    [["x", "--users", "bob"], /^Unknown option '--users'/],
    [["x", "--user", "bob", "--user-field", "user"], /^--user and --user-field cannot be used together/],
    [["x", "--user", "b%20b"], /^--user must be 1 to 255 ASCII characters/],
    [["x", "--ttl-seconds", "-1"], /--ttl-seconds/],
    [["x", "--ttl-seconds", "1.5"], /^--ttl-seconds must be a whole number from 0 to 315360000, not "1\.5"/],
    [["x", "--concurrency", "0"], /^--concurrency must be a whole number from 1 to 256, not "0"/],
    [["x", "--url", "localhost:3000"], /^--url must be an http or https URL, not "localhost:3000"/],
  ])("refuses %j with exit code 2", async (args, message) => {
    const { code, err } = await start(args).ended;
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).toContain("--help");
  });

  test("prints its usage for --help", async () => {
    const { code, out } = await start(["--help"]).ended;
    expect(code).toBe(0);
    expect(out).toContain("npm run import -- FILE...");
  });

  test.each([["SIGINT", 130] as const, ["SIGKILL", null] as const])(
    "continues after %s when it is run again, and ends in the same state",
    async (signal, exit) => {
      const lines = Array.from({ length: 200 }, (_, i) => plainLine(`s${i}`, i % 10 === 0 ? 130 : 3)).join("");
      const file = createScratch().write("chats.jsonl", lines);
      const args = [file, "--url", api.url, "--json"];
      const run = start(args);
      api.before = ({ n }) => {
        if (n === 123) run.kill(signal);
      };
      const { code, out, err } = await run.ended;
      expect(code).toBe(exit);
      if (signal === "SIGINT") {
        expect(err).toMatch(/^Stopping after the requests under way\. Run the same command again/);
        expect(JSON.parse(out)).toMatchObject({ stopped: "interrupted", failed: 0 });
      }
      expect(api.users.get("ann")!.size).toBeLessThan(200);
      expect((await start(args).ended).code).toBe(0);
      const sessions = Object.entries(api.state());
      expect(sessions).toHaveLength(200);
      for (const [key, { messages }] of sessions) {
        const id = key.slice("ann/".length);
        const count = Number(id.slice(1)) % 10 === 0 ? 130 : 3;
        expect(messages.map((message) => (message as { content: string }).content)).toEqual(
          Array.from({ length: count }, (_, i) => `${id}, turn ${i}`),
        );
      }
    },
  );

  test("reads a file that is larger than its memory", async () => {
    const { directory } = createScratch();
    const file = path.join(directory, "conversations.json");
    const out = createWriteStream(file);
    const parts = Array.from({ length: 20 }, (_, i) => `${i} ${"lorem ipsum ".repeat(250)}`);
    out.write("[");
    for (let i = 0; i < 1000; i++) {
      const chat = chatgptConversation(
        `c${i}`,
        parts.map((part, n) => ({ role: n % 2 ? "assistant" : "user", parts: [part] })),
      );
      if (!out.write(`${i === 0 ? "" : ",\n"}${JSON.stringify(chat)}`)) await once(out, "drain");
    }
    out.end("]");
    await finished(out);
    expect(out.bytesWritten).toBeGreaterThan(60e6);
    // Do not keep the content, which would fill this process's memory.
    api.before = ({ body }) => {
      for (const message of body.messages ?? []) message.content = "";
    };
    const run = start([file, "--url", api.url, "--json"], { flags: ["--max-old-space-size=64"], token: "ann" });
    const { code, out: summary, err } = await run.ended;
    expect(err.replaceAll(/^\d+ % · .*\n/gm, "")).toBe("");
    expect(code).toBe(0);
    expect(JSON.parse(summary)).toMatchObject({ imported: 1000, messages: 20_000 });
  });
});
