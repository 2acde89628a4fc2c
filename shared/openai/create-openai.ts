import OpenAI, { type ClientOptions } from "openai";
import { EMPTY_LINES, limitHeld } from "./limit-held.ts";

/**
 * Maximum bytes of a response in memory: of one event of a stream, or of a body that is read completely. A batch of vectors has up to 6 MB. A
 * message of 300 KB has 1.8 MB if every character is escaped.
 */
const MAX_HELD = 8_000_000;

/** Creates a client of OpenAI, or of any server with its API. It keeps connections alive. */
export function createOpenAI(options: ClientOptions): OpenAI {
  return new OpenAI({ ...options, fetch: guardedFetch, logLevel: "off" });
}

/**
 * Ensures that an error answer has the member `error`, because the client reads only that. Some servers send the members of `error` without
 * it, or a text instead of an object.
 */
async function withErrorMember(response: Response): Promise<Response> {
  // Ignore a body that cannot be read to its end.
  const text = await response.text().catch(() => "");
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // The client shows the text.
  }
  const { status, statusText, headers } = response;
  if (typeof body !== "object" || body === null) return new Response(text, { status, statusText, headers });
  const { error = body } = body as { error?: unknown };
  const wrapped = { error: typeof error === "string" ? { message: error } : error };
  return new Response(JSON.stringify(wrapped), { status, statusText, headers });
}

/**
 * Does not follow redirects, because they would send the API key and the conversation to another server: a redirect is an error like 404.
 * Limits the bytes of a response that are held in memory.
 */
async function guardedFetch(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: "manual" });
  const { body, ok, status, statusText, headers } = response;
  if (!body) return response;
  const isStream = ok && headers.get("content-type")?.startsWith("text/event-stream");
  const limited = limitHeld(body, isStream ? EMPTY_LINES : [], MAX_HELD);
  const guarded = new Response(ReadableStream.from(limited), { status, statusText, headers });
  return status < 400 ? guarded : withErrorMember(guarded);
}
