import { createServer, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { listen } from "../../infra/local/listen.ts";

/** The reaction to one request. By default it succeeds at once. */
export interface Behaviour {
  /** Milliseconds before the answer starts. */
  delay?: number;
  /** Milliseconds between the head and the first token. */
  firstToken?: number;
  /** Waits for this before the first token. */
  until?: Promise<unknown>;
  /** Milliseconds between two tokens. */
  perToken?: number;
  /** The text of the answer. Each word is a token. */
  text?: string;
  /** Answers with this status and no text. */
  status?: number;
  /** The body of that answer: an object is sent as JSON. @default an error of OpenAI's form */
  error?: unknown;
  headers?: Record<string, string>;
  /** Never answers. */
  hang?: "connect" | "first token" | "mid-stream";
  /** Cuts the connection after this number of tokens. */
  resetAfter?: number;
  /** Sends invalid JSON after this number of tokens. */
  malformedAfter?: number;
  /** Sends an error event after so many tokens. */
  errorAfter?: number;
  /** Ends the stream after this number of tokens, without a finish reason. */
  endAfter?: number;
  /** Sends no usage. */
  uncounted?: boolean;
  /** Sent in place of the usage. */
  usage?: unknown;
  /** Contents of the deltas, of any type, in place of the words of `text`. */
  deltas?: readonly unknown[];
  /** Whole deltas in place of those: tool calls, refusals, reasoning. */
  pieces?: readonly unknown[];
  /** What it says about the probabilities of each token. */
  logprobs?: (content: unknown) => object;
  /** The finish reason. @default "stop" */
  finish?: unknown;
  /** Sends this text again and again until the client is gone. */
  flood?: string;
  /** Sends bytes that never complete an event or a body, until the client is gone. */
  endless?: "event" | "error";
}

export interface FakeRequest {
  model: string;
  messages: FakeMessage[];
  max_tokens?: number;
  max_completion_tokens?: number;
  temperature?: number;
  stream_options?: { include_usage?: boolean };
  tools?: unknown;
  tool_choice?: unknown;
  prompt_cache_key?: string;
  /** Milliseconds since the epoch. */
  at: number;
  authorization: string | undefined;
  /** Whether the client closed the connection before the answer ended. */
  isCut: boolean;
  /** Bytes sent on its connection until then. */
  sent: number;
}

/** A message that the fake got. Its content is text, unless the test sends parts or tool calls. */
interface FakeMessage {
  role: string;
  content: string;
  name?: string;
  tool_calls?: unknown;
  tool_call_id?: string;
}

/** Deltas of parallel tool calls: each input comes in so many pieces, and the pieces of all calls alternate. */
export function callDeltas(calls: readonly { id?: string; name: string; input: string }[], pieces = 2): object[] {
  const size = (input: string) => Math.ceil(input.length / pieces);
  const heads = calls.map(({ id, name }, index) => ({
    index,
    id,
    type: "function",
    function: { name, arguments: "" },
  }));
  const inputs = Array.from({ length: pieces }, (_, n) =>
    calls.map(({ input }, index) => ({
      index,
      function: { arguments: input.slice(n * size(input), (n + 1) * size(input)) },
    })),
  );
  return [...heads, ...inputs.flat()].map((call) => ({ content: null, tool_calls: [call] }));
}

/** Starts a server of OpenAI's chat completions that follows a script. */
export async function startFakeOpenAI() {
  const requests: FakeRequest[] = [];
  const script: Behaviour[] = [];
  let otherwise: Behaviour | ((request: FakeRequest) => Behaviour) = {};
  const sockets = new Set<unknown>();

  const server = createServer(async (request, response) => {
    sockets.add(request.socket);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url?.endsWith("/models")) {
      response.writeHead(200, { "content-type": "application/json" });
      const data = ["model-a", "model-b"].map((id) => ({
        id,
        object: "model",
        created: 1_700_000_000,
        owned_by: "fake",
      }));
      return void response.end(JSON.stringify({ object: "list", data }));
    }
    const body = JSON.parse(Buffer.concat(chunks).toString()) as FakeRequest;
    const entry = { ...body, at: Date.now(), authorization: request.headers.authorization, isCut: false, sent: 0 };
    requests.push(entry);
    response.on("close", () => {
      entry.isCut = !response.writableFinished;
      entry.sent = request.socket.bytesWritten;
    });
    const usual = typeof otherwise === "function" ? otherwise(entry) : otherwise;
    await behave(response, body, script.shift() ?? usual).catch(() => response.destroy());
  });
  const { url, close } = await listen(server, 0);

  return {
    url: `${url}/v1`,
    requests,
    /** Sets the reactions to the next requests, one each. */
    next: (...behaviours: Behaviour[]) => void script.push(...behaviours),
    /** Sets the reaction to all other requests. */
    always: (behaviour: Behaviour | ((request: FakeRequest) => Behaviour)) => {
      otherwise = behaviour;
    },
    reset() {
      requests.length = 0;
      script.length = 0;
      otherwise = {};
    },
    connections: () => sockets.size,
    close: () => {
      server.closeAllConnections();
      return close();
    },
  };
}

export type FakeOpenAI = Awaited<ReturnType<typeof startFakeOpenAI>>;

async function behave(
  response: ServerResponse,
  { model, messages, stream_options }: FakeRequest,
  behaviour: Behaviour,
) {
  const {
    delay = 0,
    firstToken = 0,
    perToken = 0,
    text = `You said: ${textOf(messages.at(-1)?.content)}`,
    hang,
  } = behaviour;
  if (hang === "connect") return;
  await sleep(delay);
  if (behaviour.status !== undefined) {
    response.writeHead(behaviour.status, { "content-type": "application/json", ...behaviour.headers });
    const { error = { error: { message: "scripted", type: "scripted", code: null, param: null } } } = behaviour;
    response.end(typeof error === "string" ? error : JSON.stringify(error));
    return;
  }
  if (behaviour.endless === "error") {
    response.writeHead(400, { "content-type": "application/json" });
    return pour(response, "x".repeat(65_536));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  if (hang === "first token") return;
  await sleep(firstToken);
  await behaviour.until;
  const send = (choices: object[], more = {}) =>
    response.write(`data: ${JSON.stringify({ id: "chatcmpl-fake", model, choices, ...more })}\n\n`);
  const choice = (delta: unknown, finish_reason: string | null = null) => [{ index: 0, delta, finish_reason }];
  send(choice({ role: "assistant", content: "" }));
  if (behaviour.endless === "event") return pour(response, `data: ${"x".repeat(65_536)}\n`);
  const { flood } = behaviour;
  if (flood !== undefined) {
    const event = `data: ${JSON.stringify({ id: "chatcmpl-fake", model, choices: choice({ content: flood }) })}\n\n`;
    return pour(response, event);
  }
  const contents = behaviour.deltas ?? text.match(/\S+\s*/g) ?? [];
  const tokens = behaviour.pieces ?? contents.map((content) => ({ content }));
  const began = performance.now();
  for (const [n, delta] of tokens.entries()) {
    if (n === behaviour.resetAfter) {
      // Lets the sent tokens arrive before the connection is cut.
      await sleep(n > 0 ? 50 : 0);
      response.destroy();
      return;
    }
    if (n === behaviour.malformedAfter) response.write('data: {"choices": [\n\n');
    if (n === behaviour.errorAfter) {
      response.write(
        `data: ${JSON.stringify({ error: behaviour.error ?? { message: "scripted", code: "scripted" } })}\n\n`,
      );
    }
    if (n === behaviour.endAfter) return void response.end("data: [DONE]\n\n");
    if (n > 0 && hang === "mid-stream") return;
    // Timers are about a millisecond late: compute each wait from the clock, so that the delays do not add up.
    const wait = began + n * perToken - performance.now();
    if (wait > 0) await sleep(wait);
    const [sent] = choice(delta);
    send([{ ...sent, ...(behaviour.logprobs ? { logprobs: behaviour.logprobs(delta) } : {}) }]);
  }
  send([{ index: 0, delta: {}, finish_reason: behaviour.finish ?? "stop" }]);
  const prompt_tokens = messages.reduce((sum, { content }) => sum + textOf(content).split(/\s+/).length + 4, 0);
  const usage = { prompt_tokens, completion_tokens: tokens.length, total_tokens: prompt_tokens + tokens.length };
  if (stream_options?.include_usage && !behaviour.uncounted)
    send([], { usage: "usage" in behaviour ? behaviour.usage : usage });
  response.end("data: [DONE]\n\n");
}

/** The text of a message's content, which may be a list of parts. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map(({ text = "" }) => text).join(" ") : "";
}

/** Sends a text again and again, as fast as the client reads, until the client is gone. */
function pour(response: ServerResponse, text: string): Promise<void> {
  const source = new Readable({
    read() {
      this.push(text);
    },
  });
  return pipeline(source, response);
}
