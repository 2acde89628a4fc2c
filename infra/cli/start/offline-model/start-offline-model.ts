import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Listening, listen } from "../../../local/index.ts";
import { answerOffline, type OfflineMessage, textOf } from "./answer-offline.ts";

/** Bytes of a request at most: a prompt of a million tokens. */
const MAX_BODY = 8 * 1024 * 1024;

/** Milliseconds between two pieces of a stream, so that it looks like a model that writes. */
const PACE = 8;

interface Request {
  model?: string;
  messages?: OfflineMessage[];
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  max_tokens?: number;
  max_completion_tokens?: number;
}

/** Starts a server of OpenAI's chat completions whose model needs no network. */
export function startOfflineModel(): Promise<Listening> {
  let count = 0;
  const server = createServer((request, response) => {
    answer(request, response, ++count).catch(() => response.destroy());
  });
  return listen(server, 0);
}

async function answer(request: IncomingMessage, response: ServerResponse, n: number): Promise<void> {
  if (request.method !== "POST" || !request.url?.endsWith("/chat/completions")) {
    return refuse(response, 404, "the offline model supports chat completions only");
  }
  const body = await read(request);
  if (!body?.messages?.length) return refuse(response, 400, "messages must be a list with at least one message");
  const pieces = answerOffline(body.messages).match(/\S+\s*/g) ?? [];
  const limit = body.max_completion_tokens ?? body.max_tokens ?? pieces.length;
  const said = pieces.slice(0, limit);
  const finish_reason = said.length < pieces.length ? "length" : "stop";
  const usage = usageOf(body.messages, said);
  const head = { id: `chatcmpl-offline-${n}`, created: Math.floor(Date.now() / 1000), model: body.model ?? "offline" };
  if (!body.stream) {
    const message = { role: "assistant", content: said.join(""), refusal: null };
    const choices = [{ index: 0, message, logprobs: null, finish_reason }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ ...head, object: "chat.completion", choices, usage }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (choices: object[], more: object = {}) =>
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  const choice = (delta: object, reason: string | null = null) => [
    { index: 0, delta, logprobs: null, finish_reason: reason },
  ];
  send(choice({ role: "assistant", content: "" }));
  for (const content of said) {
    if (response.destroyed) return;
    send(choice({ content }));
    await sleep(PACE);
  }
  send(choice({}, finish_reason));
  if (body.stream_options?.include_usage) send([], { usage });
  response.end("data: [DONE]\n\n");
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: null } }));
}

async function read(request: IncomingMessage): Promise<Request | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY) return null;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Request;
  } catch {
    return null;
  }
}

/** Counts words as tokens. */
function usageOf(messages: readonly OfflineMessage[], said: readonly string[]) {
  const prompt_tokens = messages.reduce((sum, { content }) => sum + textOf(content).split(/\s+/).length + 4, 0);
  return { prompt_tokens, completion_tokens: said.length, total_tokens: prompt_tokens + said.length };
}
