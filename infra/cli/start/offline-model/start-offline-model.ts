import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { type Listening, listen } from "../../../local/index.ts";
import { answerOffline, type OfflineMessage, textOf } from "./answer-offline.ts";

/** Milliseconds between two pieces of a stream, so that it looks like a model that writes. */
const PACE = 8;

/** The part of a request that the model reads. */
interface Request {
  model: string;
  messages: OfflineMessage[];
  max_tokens?: number;
  /** The newer name of `max_tokens`. */
  max_completion_tokens?: number;
}

/** Starts a server of OpenAI's chat completions whose model needs no network. It streams every answer, as functions ask for. */
export function startOfflineModel(): Promise<Listening> {
  let count = 0;
  const server = createServer((request, response) => {
    answer(request, response, ++count).catch(() => response.destroy());
  });
  return listen(server, 0);
}

async function answer(request: IncomingMessage, response: ServerResponse, n: number): Promise<void> {
  if (request.method !== "POST" || !request.url?.endsWith("/chat/completions")) {
    const error = { message: "the offline model supports chat completions only", type: "invalid_request_error" };
    response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ error }));
    return;
  }
  const { model, messages, max_tokens, max_completion_tokens = max_tokens } = (await json(request)) as Request;
  const pieces = answerOffline(messages).match(/\S+\s*/g) ?? [];
  const said = pieces.slice(0, max_completion_tokens);
  const head = { id: `chatcmpl-offline-${n}`, created: Math.floor(Date.now() / 1000), model };
  const send = (choices: object[], more: object = {}) =>
    response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  const choice = (delta: object, reason: string | null = null) => [
    { index: 0, delta, logprobs: null, finish_reason: reason },
  ];
  response.writeHead(200, { "content-type": "text/event-stream" });
  send(choice({ role: "assistant", content: "" }));
  for (const content of said) {
    if (response.destroyed) return;
    send(choice({ content }));
    await sleep(PACE);
  }
  send(choice({}, said.length < pieces.length ? "length" : "stop"));
  send([], { usage: usageOf(messages, said) });
  response.end("data: [DONE]\n\n");
}

/** Counts words as tokens. */
function usageOf(messages: readonly OfflineMessage[], said: readonly string[]) {
  const prompt_tokens = messages.reduce((sum, { content }) => sum + textOf(content).split(/\s+/).length + 4, 0);
  return { prompt_tokens, completion_tokens: said.length, total_tokens: prompt_tokens + said.length };
}
