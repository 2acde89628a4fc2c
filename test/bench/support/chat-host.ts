import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadIssuerKey } from "../../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../../infra/local/issuer/sign-token.ts";

/** The host is idle when it has used almost no CPU time, in hundredths of a second, for this number of milliseconds. */
const IDLE_WINDOW = 2000;
const IDLE_TICKS = 20;
const IDLE_LOOKS = 90;

/** The local host in a process of its own, and functions to run turns. */
export interface ChatHost {
  /** Runs a turn in the user's session. Returns the milliseconds to the first token. Rejects unless the answer is complete. */
  turn(user: string): Promise<number>;
  /** The same with the provider, without the host. */
  direct(provider: string): Promise<number>;
  /** Creates a user's session. Otherwise the user's first turn creates it. */
  open(user: string): Promise<void>;
  /** Appends this number of messages to a user's session. */
  fill(user: string, messages: number): Promise<void>;
  /** Resolves when the host is idle, or after three minutes. */
  idle(): Promise<void>;
  /** Bytes of the host's process, without the process of the DynamoDB engine. */
  memory(): number;
  stop(): Promise<void>;
}

/** Starts the host with `provider` as its provider of models. */
export async function startChatHost(provider: string): Promise<ChatHost> {
  const data = mkdtempSync(path.join(tmpdir(), "memocha-bench-"));
  const child = spawn(process.execPath, ["infra/cli/start/start.ts", "--port", "0", "--data", data], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, CHAT_BASE_URL: provider, CHAT_MODEL: "bench" },
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
    child.on("exit", (code) => reject(new Error(`the host ended with ${code}:\n${output}`)));
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
    open: sessionOf,
    async turn(user) {
      await sessionOf(user);
      const began = performance.now();
      const body = { content: "How are you today?", stream: true, memory: false };
      return await firstToken(await call(user, "/v1/sessions/s/chat", body), began, '"text-delta"', '"finish"');
    },
    async direct(base) {
      const began = performance.now();
      const body = { model: "bench", stream: true, messages: [{ role: "user", content: "How are you today?" }] };
      const response = await fetch(`${base}/chat/completions`, { method: "POST", body: JSON.stringify(body) });
      return await firstToken(response, began, '"content":"word', "[DONE]");
    },
    async fill(user, messages) {
      await sessionOf(user);
      for (let n = 0; n < messages; n += 99) {
        const batch = Array.from({ length: Math.min(99, messages - n) }, () => ({
          role: "user",
          content: "x".repeat(300),
        }));
        const response = await call(user, "/v1/sessions/s/messages", { messages: batch });
        await response.text();
        if (response.status !== 201) throw new Error(`messages were not stored: ${response.status}`);
      }
    },
    async idle() {
      const busy = () => {
        const [utime = 0, stime = 0] = readFileSync(`/proc/${child.pid}/stat`, "utf8")
          .split(" ")
          .slice(13, 15)
          .map(Number);
        return utime + stime;
      };
      for (let looks = 0, before = busy(); looks < IDLE_LOOKS; looks++) {
        await sleep(IDLE_WINDOW);
        const now = busy();
        if (now - before < IDLE_TICKS) return;
        before = now;
      }
    },
    memory() {
      const [, kilobytes = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      return Number(kilobytes) * 1024;
    },
    async stop() {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

async function firstToken(response: Response, began: number, first: string, last: string): Promise<number> {
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  let text = "";
  let time = Number.NaN;
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (Number.isNaN(time) && text.includes(first)) time = performance.now() - began;
  }
  if (!text.includes(last)) throw new Error("the answer did not come whole");
  return time;
}
