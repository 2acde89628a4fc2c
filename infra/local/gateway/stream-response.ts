import type { ServerResponse } from "node:http";
import type { StreamSink } from "../lambda/instance.ts";
import { type ProxyResponse, readProxyResponse } from "./proxy-response.ts";

/** Zero bytes between the prelude (JSON: status, headers) and the body. */
const DELIMITER_BYTES = 8;
const MAX_PRELUDE_BYTES = 16 * 1024;

interface StreamedResponse extends StreamSink {
  /** Whether the client has got the head of the response. */
  started(): boolean;
  /** Why the stream is malformed, as soon as this is known. */
  problem(): string | undefined;
}

/**
 * Sends a function's response stream to the client at the client's speed. When the client disconnects, the rest is discarded and the
 * function keeps running, as on Lambda.
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
      // The gateway has already sent another response, because the stream was too late.
      if (problem || response.headersSent || response.destroyed) return consumed();
      prelude.push(data);
      const bytes = Buffer.concat(prelude);
      const at = bytes.indexOf(Buffer.alloc(DELIMITER_BYTES));
      if (at < 0) {
        if (bytes.length > MAX_PRELUDE_BYTES) problem = "the response stream does not begin with a status and headers";
        return consumed();
      }
      const read = readProxyResponse(bytes.toString("utf8", 0, at));
      if (!read) {
        problem = "the response stream begins with an invalid status or headers";
        return consumed();
      }
      prelude = undefined;
      head(read);
      response.flushHeaders();
      pass(bytes.subarray(at + DELIMITER_BYTES), consumed);
    },
    onEnd() {
      if (!prelude) response.end();
      else problem ??= "the response stream ended before its status and headers";
    },
  };
}
