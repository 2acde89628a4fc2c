import { Readable } from "node:stream";
import fetch, { type RequestInit, Response } from "node-fetch";
import OpenAI, { type ClientOptions } from "openai";
import { EMPTY_LINES, limitHeld } from "./limit-held.ts";

/**
 * Bytes of a response that may have to be held in memory: of one event of a stream, or of a body that is read whole. A batch of vectors has
 * up to 6 MB, and a message of 300 KB, all of it escaped, 1.8 MB.
 */
const MAX_HELD = 8_000_000;

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
  const limited = limitHeld(body, isStream ? EMPTY_LINES : [], MAX_HELD);
  return new Response(Readable.from(limited), { status, statusText, headers });
}
