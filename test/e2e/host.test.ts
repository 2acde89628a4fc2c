import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { withSharedAssembly } from "../support/shared-assembly.ts";

// What `npm start` and `npm run token` run, with the real app: synthesis, engines, gateway, functions.

const execute = promisify(execFile);
const temporary = temporaryDirectory();
const data = path.join(temporary.directory, "data");
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  // What a host that was killed has left, when no other has come after it.
  const file = path.join(data, "dynamodb", "engine.pid");
  if (existsSync(file)) process.kill(Number(/\d+/.exec(readFileSync(file, "utf8"))?.[0]), "SIGKILL");
});
afterAll(temporary.remove);

interface Started {
  child: ChildProcess;
  url: string;
  /** The token of the user dev, and that of an admin. */
  tokens: string[];
  /** What was printed to be tried in a shell. */
  curl: string;
  seconds: number;
  output(): string;
}

/** Starts the host as `npm start` does, with the assembly that all tests share. */
async function start(environment: Record<string, string> = {}, ...options: string[]): Promise<Started> {
  const assembly = await withSharedAssembly();
  return await run({ ...assembly.variables, ...environment }, assembly.options, options);
}

/** Starts the host and waits for its ready line and all that comes with it. */
async function run(environment: Record<string, string>, nodeOptions: string[], options: string[]): Promise<Started> {
  const began = performance.now();
  const main = path.resolve("infra/cli/start/start.ts");
  const child = spawn(process.execPath, [...nodeOptions, main, "--port", "0", "--data", data, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  children.push(child);
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += String(chunk);
      if (/Try it:[\s\S]*\n\n/.test(output)) resolve();
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.on("exit", (code) => reject(new Error(`the host ended with ${code}:\n${output}`)));
  });
  return {
    child,
    url: /ready in .*: (http\S+)/.exec(output)?.[1] ?? "",
    tokens: [...output.matchAll(/^ {2}(ey\S+)$/gm)].map(([, token]) => String(token)),
    curl: /Try it:\n {2}(curl[\s\S]*?)\n\n/.exec(output)?.[1] ?? "",
    seconds: (performance.now() - began) / 1000,
    output: () => output,
  };
}

const call = async (url: string, token: string, method: string, route: string, body?: object) =>
  await fetch(url + route, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });

describe("the local host of the real template", () => {
  test("is ready with everything that it prints working, and ends with nothing left", {
    timeout: 120_000,
  }, async () => {
    const host = await run({}, [], []);
    const [dev = "", admin = ""] = host.tokens;
    expect(host.output()).not.toContain("warning");

    const health = await fetch(`${host.url}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: "ok", dynamodb: "connected", archive: "connected" });

    const { stdout } = await execute("sh", ["-c", host.curl]);
    expect(JSON.parse(stdout)).toMatchObject({ title: "Hello", user_id: "dev", status: "active" });

    const made = await call(host.url, dev, "POST", "/v1/sessions", { id: "mine" });
    expect(made.status).toBe(201);
    const listed = (await (await call(host.url, dev, "GET", "/v1/sessions")).json()) as { data: { id: string }[] };
    expect(listed.data.map(({ id }) => id)).toContain("mine");
    expect((await call(host.url, "nonsense", "GET", "/v1/sessions")).status).toBe(401);
    expect((await call(host.url, dev, "POST", "/admin/cleanup-sessions?days=7")).status).toBe(403);
    expect((await call(host.url, admin, "POST", "/admin/cleanup-sessions?days=7")).status).toBe(200);

    const token = await execute(process.execPath, [
      path.resolve("infra/cli/token/token.ts"),
      "--user",
      "bob",
      "--data",
      data,
    ]);
    expect((await call(host.url, token.stdout.trim(), "GET", "/v1/sessions/mine")).status).toBe(404);

    const engine = Number(/\d+/.exec(readFileSync(path.join(data, "dynamodb", "engine.pid"), "utf8"))?.[0]);
    // Ctrl-C under npm comes twice: from the terminal, and passed on by npm.
    host.child.kill("SIGINT");
    host.child.kill("SIGINT");
    const [code] = await once(host.child, "exit");
    expect(code).toBe(0);
    expect(() => process.kill(engine, 0)).toThrow("ESRCH");
    await expect(fetch(host.url)).rejects.toThrow();
    expect(host.output()).toContain("stopped");
  });

  test("keeps every acknowledged write through kill -9, and tokens printed before stay good", {
    timeout: 120_000,
  }, async () => {
    const host = await start();
    const [dev = ""] = host.tokens;
    await call(host.url, dev, "POST", "/v1/sessions", { id: "survivor" });
    const acknowledged: string[] = [];
    const writing = (async () => {
      for (let n = 0; ; n++) {
        const body = { id: `m${n}`, role: "user", content: `message ${n}` };
        const answer = await call(host.url, dev, "POST", "/v1/sessions/survivor/messages", body).catch(() => undefined);
        if (answer === undefined) return;
        expect([answer.status, await answer.text()]).toEqual([201, expect.anything()]);
        acknowledged.push(body.id);
      }
    })();
    await Promise.race([writing, expect.poll(() => acknowledged.length, { timeout: 30_000 }).toBeGreaterThan(20)]);
    host.child.kill("SIGKILL");
    await writing;

    const again = await start();
    const stored: string[] = [];
    let cursor = "";
    do {
      const route = `/v1/sessions/survivor/messages?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
      const page = (await (await call(again.url, dev, "GET", route)).json()) as {
        data: { id: string }[];
        next_cursor: string | null;
      };
      stored.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor ?? "";
    } while (cursor);
    expect(stored.slice(0, acknowledged.length)).toEqual(acknowledged);
    again.child.kill("SIGTERM");
    expect((await once(again.child, "exit"))[0]).toBe(0);
  });

  test("shows a failed turn in one line that names the function, and with --verbose where in the sources it failed", {
    timeout: 120_000,
  }, async () => {
    const nowhere = { OPENAI_BASE_URL: "http://127.0.0.1:9", OPENAI_API_KEY: "none", NO_COLOR: "1" };
    const failTurn = async ({ url, tokens }: Started) => {
      await call(url, tokens[0] ?? "", "POST", "/v1/sessions", { id: "failing" });
      const answer = await call(url, tokens[0] ?? "", "POST", "/v1/sessions/failing/chat", { content: "Hello" });
      expect(answer.status).toBe(503);
      return ((await answer.json()) as { request_id: string }).request_id.slice(0, 8);
    };
    const errorsOf = (host: Started) => host.output().slice(host.output().indexOf(" error "));

    const host = await start(nowhere);
    const id = await failTurn(host);
    await expect.poll(host.output).toContain(`POST /v1/sessions/{id}/chat 503`);
    const lines = errorsOf(host).trimEnd().split("\n");
    expect(lines[0]).toMatch(
      RegExp(`^ error chat-turn ${id}: unavailable: the model does not answer \\(ModelError: .+\\)$`),
    );
    expect(lines.slice(1)).toEqual([expect.stringContaining(`POST /v1/sessions/{id}/chat 503`)]);
    host.child.kill("SIGTERM");
    await once(host.child, "exit");

    const verbose = await start(nowhere, "--verbose");
    await failTurn(verbose);
    const frame = () => /at toAppError \((.+):\d+:\d+\)/.exec(errorsOf(verbose))?.[1];
    await expect.poll(frame).toBe(path.resolve("shared/llm/model-error.ts"));
  });
});
