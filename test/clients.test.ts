import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startMemocha } from "../infra/cli/start/start-memocha.ts";
import { createLog, type Host } from "../infra/local/index.ts";
import { temporaryDirectory } from "./infra/local/fixture-assembly.ts";
import { callDeltas, type FakeOpenAI, startFakeOpenAI } from "./support/fake-openai.ts";
import { sharedAssembly } from "./support/shared-assembly.ts";

const ROOT = path.resolve(import.meta.dirname, "..");
const page = readFileSync(path.join(ROOT, "docs/clients.md"), "utf8");
const programs = new Map(
  [...page.matchAll(/<!-- program: (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, name = "", code = ""]) => [name, code]),
);

/** Makes the globals of a browser, as far as React needs them. */
const BROWSER = `import { Window } from "happy-dom";
  const browser = new Window({ url: "http://localhost/" });
  const names = ["document", "navigator", "Node", "Element", "HTMLElement", "HTMLIFrameElement", "HTMLFormElement", "FormData", "Event"];
  const globals = { window: browser, ...Object.fromEntries(names.map((name) => [name, browser[name]])) };
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true });`;

const temporary = temporaryDirectory();
let fake: FakeOpenAI;
let host: Host;

beforeAll(async () => {
  fake = await startFakeOpenAI();
  vi.stubEnv("OPENAI_BASE_URL", fake.url);
  vi.stubEnv("MEMORY", "false");
  const log = createLog({ verbose: false, write: () => undefined });
  const [assembly, data] = [await sharedAssembly(), path.join(temporary.directory, "data")];
  host = await startMemocha({ assembly, data, port: 0, ttlSweep: 0, log });
}, 120_000);
beforeEach(() => fake.reset());
afterAll(async () => {
  await host?.stop();
  await fake.close();
  vi.unstubAllEnvs();
  temporary.remove();
});

/** Runs a program of the page as its reader would, and gives what it prints. */
async function run(name: string, code = programs.get(name) ?? ""): Promise<string> {
  const env = { ...process.env, MEMOCHA_URL: host.url, MEMOCHA_TOKEN: await host.token({ user: name }) };
  const options = { cwd: ROOT, env, timeout: 60_000 };
  const running = promisify(execFile)(process.execPath, ["--input-type=module", "-"], options);
  running.child.stdin?.end(code);
  return (await running).stdout.trim();
}

describe("a program in docs/clients.md", () => {
  it.each([...programs])("has at most 20 lines: %s", (_name, code) => {
    expect(code.trimEnd().split("\n").length).toBeLessThanOrEqual(20);
  });

  it.each(["openai", "fetch"])("streams an answer: %s", async (name) => {
    expect(await run(name)).toBe("You said: Where were we?");
  });

  it("shows a chat, sends, stops, and resumes after a reload (react)", async () => {
    const code = `${programs.get("react")}
      import { createRoot } from "react-dom/client";
      const [url, token] = [process.env.MEMOCHA_URL, process.env.MEMOCHA_TOKEN];
      const until = async (isTrue) => {
        for (let n = 0; n < 200 && !isTrue(); n++) await new Promise((resolve) => setTimeout(resolve, 50));
        if (!isTrue()) throw new Error("gave up at " + document.body.innerHTML);
      };
      const open = async () => {
        const response = await fetch(url + "/v1/chat/my-chat", { headers: { authorization: "Bearer " + token } });
        const { messages } = await response.json();
        document.body.innerHTML = "<main></main>";
        const root = createRoot(document.querySelector("main"));
        root.render(<Chat id="my-chat" messages={messages} url={url} token={token} />);
        await until(() => document.querySelector("form"));
        return root;
      };
      const said = () => [...document.querySelectorAll("p")].map((p) => p.textContent);
      const root = await open();
      document.querySelector("input").value = "Hello";
      document.querySelector("form").requestSubmit();
      await until(() => said()[1]?.includes("one"));
      root.unmount();
      const again = await open();
      await until(() => said()[1]?.includes("one"));
      document.querySelector("button").click();
      await until(() => !document.querySelector("button"));
      console.log(JSON.stringify(said()));
      again.unmount();
      process.exit(0);`;
    const { outputFiles } = await build({
      stdin: { contents: code, loader: "jsx", resolveDir: ROOT },
      bundle: true,
      platform: "node",
      format: "esm",
      jsx: "automatic",
      write: false,
      external: ["happy-dom"],
      banner: { js: BROWSER },
    });
    fake.next({ text: "one two", hang: "mid-stream" });
    expect(await run("react", outputFiles[0]?.text)).toBe('["Hello","one "]');
  });

  it("switches between branches (branches)", async () => {
    fake.next({ text: "The Nile" }, { text: "The Po" }, { text: "Garda" });
    expect(await run("branches")).toBe("Name a river.\nThe Po");
  });

  it("begins an incognito session (incognito)", async () => {
    expect(await run("incognito")).toBe("true You said: Keep this between us.");
  });

  it.each(["tools", "openai-tools"])("runs the client's tools to the end: %s", async (name) => {
    fake.next({
      pieces: callDeltas([{ id: "call-1", name: "weather", input: '{"city":"Rome"}' }]),
      finish: "tool_calls",
    });
    fake.next({ text: "It has 21 degrees." });
    expect(await run(name)).toBe("It has 21 degrees.");
    expect(fake.requests.at(-1)!.messages.at(-1)).toMatchObject({ role: "tool", tool_call_id: "call-1" });
  });

  it("asks about a file that it has uploaded (files)", async () => {
    expect(await run("files")).toMatch(/^You said: /);
  });

  it("stops an answer (stop)", async () => {
    fake.next({ text: "one two", hang: "mid-stream" });
    expect(await run("stop")).toMatch(/^\{ stopped: true, message_id: '[0-9a-f-]{36}' \}\nstopped$/);
    expect(fake.requests.at(-1)).toMatchObject({ isCut: true });
  });
});

describe("the MCP SDK's client over HTTP", () => {
  it.each(["2026-07-28", "2025-06-18"])("calls tools and reads resources at revision %s", async (revision) => {
    const client = new Client(
      { name: "test", version: "1.0.0" },
      revision === "2026-07-28" ? { versionNegotiation: { mode: { pin: revision } } } : {},
    );
    const authorization = `Bearer ${await host.token({ user: revision })}`;
    const requestInit = { headers: { authorization } };
    const errors: Error[] = [];
    client.onerror = (error) => void errors.push(error);
    await client.connect(new StreamableHTTPClientTransport(new URL(`${host.url}/mcp`), { requestInit }));
    expect((await client.listTools()).tools).toHaveLength(6);
    const messages = [{ role: "user", content: "hello" }];
    await client.callTool({ name: "append_messages", arguments: { session_id: "agent", messages } });
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual(["memocha://sessions/agent"]);
    const { contents } = await client.readResource({ uri: "memocha://sessions/agent" });
    expect(contents).toMatchObject([{ text: expect.stringContaining('"hello"') }]);
    await client.close();
    expect(errors).toEqual([]);
  });

  it.each(["GET", "DELETE"])(
    "an MCP client learns from 405 that the server has no streams and no sessions: %s",
    async (method) => {
      const headers = { accept: "text/event-stream", authorization: `Bearer ${await host.token({ user: "agent" })}` };
      const refused = await fetch(`${host.url}/mcp`, { method, headers });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "POST"]);
    },
  );

  it.each([{}, { authorization: "Bearer wrong" }])(
    "an MCP client without a valid token gets the URL of the resource's metadata: %o",
    async (headers) => {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
      const refused = await fetch(`${host.url}/mcp`, { method: "POST", headers, body });
      expect(refused.status).toBe(401);
      const [, url = ""] =
        /^Bearer resource_metadata="(.+)"$/.exec(refused.headers.get("www-authenticate") ?? "") ?? [];
      const metadata = await fetch(url);
      expect([metadata.status, await metadata.json()]).toMatchObject([200, { resource: `${host.url}/mcp` }]);
    },
  );
});
