import { Readable } from "node:stream";
import fetch, { type RequestInit, Response } from "node-fetch";
import OpenAI, { type ClientOptions } from "openai";

/**
 * Bytes of a response that may have to be held in memory: of one event of a stream, or of a body that is read whole. A batch of vectors has
 * up to 6 MB, and a message of 300 KB, all of it escaped, 1.8 MB.
 */
const MAX_HELD = 8_000_000;

/** What separates the events of a stream. */
const EMPTY_LINES = ["\n\n", "\r\r", "\r\n\r\n"];

/** A client of OpenAI, or of any server that speaks its API. Connections are kept alive. */
export const createOpenAI = (options: ClientOptions): OpenAI =>
  new OpenAI({
    ...options,
    fetch: guardedFetch as unknown as typeof globalThis.fetch,
    logLevel: "off",
  });

/**
 * Does not follow redirects, which would send the API key and the conversation to another server: a redirect is an error like 404. Limits
 * what is held in memory of a response. Uses node-fetch, because Node's own `fetch` takes long to load; see infra/fetch.ts.
 */
async function guardedFetch(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: "manual", size: MAX_HELD });
  const { body, ok, status, statusText, headers } = response;
  if (!body || !ok) return response;
  const isStream = headers.get("content-type")?.startsWith("text/event-stream");
  const limited = limitHeld(body, isStream ? EMPTY_LINES : []);
  return new Response(Readable.from(limited), { status, statusText, headers });
}

/** Fails when too much comes without a separator: the SDK holds in memory what it has not split yet. */
async function* limitHeld(
  chunks: AsyncIterable<Buffer | string>,
  separators: readonly string[],
): AsyncGenerator<Buffer> {
  let held = 0;
  let tail = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk);
    // A separator may begin in one chunk and end in the next.
    const recent = Buffer.concat([tail, bytes]);
    const end = Math.max(...separators.map((mark) => recent.lastIndexOf(mark)));
    held = end < 0 ? held + bytes.length : recent.length - end;
    if (held > MAX_HELD) throw new Error(`the response has more than ${MAX_HELD} bytes in one piece`);
    tail = recent.subarray(-3);
    yield bytes;
  }
}
