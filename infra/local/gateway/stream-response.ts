import type { ServerResponse } from "node:http";
import type { StreamSink } from "../lambda/function.ts";
import { type ProxyResponse, readProxyResponse } from "./proxy-response.ts";

/** Zero bytes between the prelude (JSON: status, headers) and the body. */
const DELIMITER_BYTES = 8;
const MAX_PRELUDE_BYTES = 16 * 1024;

export interface StreamedResponse extends StreamSink {
  /** Whether the head has gone to the client, after which nothing else can be answered. */
  started(): boolean;
  /** Why the stream was no proper response, once it has turned out to be none. */
  problem(): string | undefined;
}

/**
 * Passes a function's response stream on to the client as it comes, at the client's pace. When the client goes away the rest is
 * taken and dropped: Lambda does not stop a function for that either, and what it has begun it may finish.
 */
export function createStreamedResponse(
  response: ServerResponse,
  head: (response: ProxyResponse) => void,
): StreamedResponse {
  let prelude: Uint8Array[] | undefined = [];
  let problem: string | undefined;

  function pass(data: Uint8Array, consumed: () => void): void {
    const gone = data.length === 0 || response.destroyed || response.writableEnded;
    if (gone || response.write(data)) {
      consumed();
      return;
    }
    const go = () => {
      response.off("drain", go);
      response.off("close", go);
      consumed();
    };
    response.once("drain", go);
    response.once("close", go);
  }

  return {
    started: () => prelude === undefined,
    problem: () => problem,
    onChunk(data, consumed) {
      if (!prelude) return pass(data, consumed);
      // Something else may have been answered already, because this came too late.
      if (problem || response.headersSent || response.destroyed) return consumed();
      prelude.push(data);
      const bytes = Buffer.concat(prelude);
      const at = bytes.indexOf(Buffer.alloc(DELIMITER_BYTES));
      if (at < 0) {
        if (bytes.length > MAX_PRELUDE_BYTES) problem = "its response stream does not begin with a status and headers";
        return consumed();
      }
      const read = readProxyResponse(bytes.toString("utf8", 0, at));
      if (!read) {
        problem = "its response stream begins with something other than a status and headers";
        return consumed();
      }
      prelude = undefined;
      head(read);
      response.flushHeaders();
      pass(bytes.subarray(at + DELIMITER_BYTES), consumed);
    },
    onEnd() {
      if (!prelude) response.end();
      else problem ??= "its response stream ended before a status and headers were written";
    },
  };
}
