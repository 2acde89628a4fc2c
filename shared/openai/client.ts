import fetch from "node-fetch";
import OpenAI, { type ClientOptions } from "openai";

/** A client of OpenAI, or of any server that speaks its API. Connections are kept alive. */
export const createOpenAI = (options: ClientOptions): OpenAI =>
  new OpenAI({
    ...options,
    // Not Node's own, which takes long to load; see infra/fetch.ts.
    fetch: fetch as unknown as typeof globalThis.fetch,
    logLevel: "off",
  });
