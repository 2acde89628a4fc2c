import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadIssuerKey } from "../../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../../infra/local/issuer/sign-token.ts";
import { firstToken } from "./first-token.ts";

/** The local host in a process of its own, and functions to run turns. */
export interface ChatHost {
  /** Process ids of the host, which runs the functions, and of the DynamoDB engine. */
  pids: { server: number; engine: number };
  /** Runs a turn in the user's session. Resolves when it has ended, with the time of the first token. */
  turn(user: string, content?: string, memory?: boolean): Promise<number>;
  /** Creates a user's session. Otherwise the user's first turn creates it. */
  open(user: string): Promise<void>;
  /** Appends messages of these texts to a user's session, the first of them the user's. */
  fill(user: string, contents: readonly string[]): Promise<void>;
  /** Bytes of the host's process, without the process of the DynamoDB engine. */
  memory(): number;
}

/**
 * Starts the host with `provider` as its provider of models. `keep` stops it and deletes its data, also when it does not become ready or
 * the benchmark is interrupted before.
 */
export async function startChatHost(provider: string, keep: AsyncDisposableStack): Promise<ChatHost> {
  const data = mkdtempSync(path.join(tmpdir(), "memocha-bench-"));
  const child = spawn(process.execPath, ["infra/cli/start/start.ts", "--port", "0", "--data", data], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, CHAT_BASE_URL: provider, CHAT_MODEL: "bench" },
  });
  // Listen at once: a Ctrl-C of the terminal reaches the host, too, and may end it before this process stops it.
  const exited = once(child, "exit");
  keep.defer(async () => {
    child.kill("SIGTERM");
    await exited;
    rmSync(data, { recursive: true, force: true });
  });
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      // Later output is a line per request.
      if (output.length > 20_000) return;
      output += String(chunk);
      const [, found] = /ready in .*: (http\S+)/.exec(output) ?? [];
      if (found) resolve(found);
    });
    void exited.then(([code]) => reject(new Error(`the host ended with ${code}:\n${output}`)));
  });
  const key = await loadIssuerKey(data);
  const tokens = new Map<string, Promise<string>>();
  const sessions = new Map<string, Promise<void>>();

  const call = async (user: string, route: string, body: object): Promise<Response> => {
    const token = tokens.get(user) ?? signToken(key, { user, plan: "unlimited" });
    tokens.set(user, token);
    const headers = { authorization: `Bearer ${await token}`, "content-type": "application/json" };
    return await fetch(url + route, { method: "POST", headers, body: JSON.stringify(body) });
  };
  const sessionOf = (user: string): Promise<void> => {
    const made =
      sessions.get(user) ??
      call(user, "/v1/sessions", { id: "s" }).then(async (response) => {
        await response.text();
        if (response.status !== 201) throw new Error(`the session was not made: ${response.status}`);
      });
    sessions.set(user, made);
    return made;
  };

  return {
    pids: {
      server: child.pid ?? 0,
      engine: Number(readFileSync(path.join(data, "dynamodb", "engine.pid"), "utf8")),
    },
    open: sessionOf,
    async turn(user, content = "How are you today?", memory = false) {
      await sessionOf(user);
      const body = { content, stream: true, memory };
      return firstToken(await call(user, "/v1/sessions/s/chat", body), '"text-delta"', '"finish"');
    },
    async fill(user, contents) {
      await sessionOf(user);
      const messages = contents.map((content, n) => ({ role: n % 2 === 0 ? "user" : "assistant", content }));
      for (let n = 0; n < messages.length; n += 98) {
        const response = await call(user, "/v1/sessions/s/messages", { messages: messages.slice(n, n + 98) });
        await response.text();
        if (response.status !== 201) throw new Error(`messages were not stored: ${response.status}`);
      }
    },
    memory() {
      const [, kilobytes = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      return Number(kilobytes) * 1024;
    },
  };
}
