import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Handler, STREAMING } from "./load-handler.ts";
import type { FromWorker } from "./messages.ts";

/** Bytes of a response under way to the client before its writer has to wait. */
const WINDOW_BYTES = 256 * 1024;

const PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

type StreamingHandler = (event: unknown, stream: Writable, context: object) => unknown;
type BeforeFirstWrite = (write: (chunk: string | Uint8Array) => unknown) => void;
type ResponseStream = Writable & { _onBeforeFirstWrite?: BeforeFirstWrite; setContentType(type: string): void };

interface OpenStream {
  /** Bytes sent to the host that it has not reported as consumed. */
  underWay: number;
  resume: (() => void) | undefined;
}

export function isStreaming(handler: Handler): boolean {
  return STREAMING in handler;
}

/**
 * The global `awslambda` of Lambda's Node.js runtime, and the response streams behind it. The prelude (status and headers)
 * goes in band, as JSON and eight zero bytes before the body: the gateway reads it from there.
 */
export function createResponseStreams(post: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
  const open = new Map<string, OpenStream>();
  Object.assign(globalThis, { awslambda: { streamifyResponse, HttpResponseStream: { from: withPrelude } } });

  function createStream(id: string, highWaterMark: number | undefined): ResponseStream {
    const state: OpenStream = { underWay: 0, resume: undefined };
    open.set(id, state);
    const stream = new Writable({
      ...(highWaterMark && { highWaterMark }),
      write(chunk: Buffer, _encoding, done) {
        if (chunk.length === 0) return done();
        // A copy: the chunk may be a window on a buffer that is shared.
        const data = new Uint8Array(chunk);
        state.underWay += data.length;
        post({ kind: "chunk", id, data }, [data.buffer]);
        if (state.underWay < WINDOW_BYTES) done();
        else state.resume = done;
      },
      final(done) {
        post({ kind: "end", id });
        done();
      },
    });
    return beforeFirstWrite(Object.assign(stream, { setContentType: () => {} }));
  }

  return {
    /** Runs a streaming handler to its end and to the end of its stream. Rejects with what the handler throws. */
    async run(id: string, handler: Handler, event: unknown, context: object): Promise<void> {
      const { [HIGH_WATER_MARK]: highWaterMark } = handler as unknown as { [HIGH_WATER_MARK]?: number };
      const stream = createStream(id, highWaterMark);
      const written = finished(stream, { readable: false });
      written.catch(() => {});
      try {
        await (handler as unknown as StreamingHandler)(event, stream, context);
        if (!stream.writableEnded) stream.end();
        await written;
      } finally {
        open.delete(id);
      }
    },
    consumed(id: string, bytes: number): void {
      const state = open.get(id);
      if (!state) return;
      state.underWay -= bytes;
      const resume = state.resume;
      if (!resume || state.underWay >= WINDOW_BYTES) return;
      state.resume = undefined;
      resume();
    },
  };
}

function streamifyResponse(handler: StreamingHandler, options?: { highWaterMark?: number }): StreamingHandler {
  return Object.assign(handler, { [STREAMING]: "response", [HIGH_WATER_MARK]: options?.highWaterMark });
}

function withPrelude(stream: ResponseStream, prelude: unknown): ResponseStream {
  stream.setContentType(PRELUDE_TYPE);
  const text = JSON.stringify(prelude);
  stream._onBeforeFirstWrite = (write) => {
    write(text);
    write(new Uint8Array(8));
  };
  return stream;
}

/** Calls `_onBeforeFirstWrite` before the first chunk. Ending without one sends no prelude, as on Lambda. */
function beforeFirstWrite(stream: ResponseStream): ResponseStream {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  const end = stream.end.bind(stream) as (...args: unknown[]) => ResponseStream;
  let first = true;
  const begin = () => {
    if (!first) return;
    first = false;
    stream._onBeforeFirstWrite?.((chunk) => write(chunk));
  };
  return Object.assign(stream, {
    write: (...args: unknown[]) => {
      begin();
      return write(...args);
    },
    end: (...args: unknown[]) => {
      if (args.length > 0 && typeof args[0] !== "function" && args[0] != null) begin();
      return end(...args);
    },
  });
}
