import { Readable } from "node:stream";
import { randomId } from "../random.ts";
import { createChain, type HttpDependencies, type HttpHandler, runOperation } from "./chain.ts";
import { type HttpResponse, toAnswer } from "./http-handler.ts";
import type { HttpRequest } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";

type StreamResponse =
  | HttpResponse
  | {
      status: number;
      headers: Record<string, string>;
      /** The pieces of the body. */
      stream: AsyncIterable<string | Uint8Array>;
      /** Resolves when the work of the request is over. The function runs until then, also when the client has disconnected. */
      done: Promise<void>;
    };

/** Like `createHttpHandler`, for operations that stream. `serve` handles repeats itself, because a stream is not kept. */
export function createStreamHandler<O extends Operation>(
  operation: O,
  deps: HttpDependencies,
  serve: (request: HttpRequest<O>) => Promise<StreamResponse>,
): HttpHandler {
  const { clock, newId = randomId } = deps;
  return createChain(operation, deps, async (parsed) => {
    const request = { ...parsed, identity: { seed: newId(), at: clock() } } as HttpRequest<O>;
    const response = await runOperation(operation, request, () => serve(request));
    if (!("stream" in response)) return toAnswer(response);
    const { stream, ...rest } = response;
    return { ...rest, body: Readable.from(stream) };
  });
}
