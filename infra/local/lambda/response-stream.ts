import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { type Handler, STREAMING } from "./load-handler.ts";
import type { FromWorker } from "./worker-messages.ts";

/** Unconsumed bytes of a response after which its writer must wait. */
const WINDOW_BYTES = 256 * 1024;

const PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";

type StreamingHandler = (event: unknown, stream: Writable, context: object) => unknown;
type BeforeFirstWrite = (write: (chunk: string | Uint8Array) => unknown) => void;
type ResponseStream = Writable & { _onBeforeFirstWrite?: BeforeFirstWrite; setContentType(type: string): void };

interface OpenStream {
  /** Bytes that the host has not reported as consumed. */
  underWay: number;
  resume: (() => void) | undefined;
}

export function isStreaming(handler: Handler): boolean {
  return STREAMING in handler;
}

/**
 * Installs the global `awslambda` of Lambda's Node.js runtime and its response streams. A stream begins with the prelude: status and
 * headers as JSON, then eight zero bytes. The gateway reads it.
 */
export function createResponseStreams(post: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
  const open = new Map<string, OpenStream>();
  Object.assign(globalThis, { awslambda: { streamifyResponse, HttpResponseStream: { from: withPrelude } } });

  function createStream(id: string): ResponseStream {
    const state: OpenStream = { underWay: 0, resume: undefined };
    open.set(id, state);
    const send = (chunk: Buffer, done: () => void) => {
      if (chunk.length === 0) return done();
      // Copy it, because the chunk may be part of a shared buffer.
      const data = new Uint8Array(chunk);
      state.underWay += data.length;
      post({ kind: "chunk", id, data }, [data.buffer]);
      // The chunks that follow at once go as one message. That saves a tenth of the host's CPU time of a turn of 30 tokens.
      if (state.underWay < WINDOW_BYTES) setImmediate(done);
      else state.resume = done;
    };
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => send(chunk, done),
      writev: (chunks, done) => send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done),
      final(done) {
        post({ kind: "end", id });
        done();
      },
    });
    return beforeFirstWrite(Object.assign(stream, { setContentType: () => {} }));
  }

  return {
    /** Runs a streaming handler until it and its stream have ended. Rejects with the error of the handler. */
    async run(id: string, handler: Handler, event: unknown, context: object): Promise<void> {
      const stream = createStream(id);
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

function streamifyResponse(handler: StreamingHandler): StreamingHandler {
  return Object.assign(handler, { [STREAMING]: "response" });
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

/** Calls `_onBeforeFirstWrite` before the first chunk. A stream that ends without a chunk has no prelude, as on Lambda. */
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
