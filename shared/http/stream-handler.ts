import { Readable } from "node:stream";
import middy, { type Request } from "@middy/core";
import { executionModeStandard } from "@middy/core/executionModeStandard";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import { AppError } from "../errors.ts";
import type { Repeatable } from "../idempotency/attempt.ts";
import type { IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { inRequest, setRequestUser } from "../log.ts";
import { randomId } from "../random.ts";
import { answers, requestIdOf } from "./answers.ts";
import { headerOf } from "./headers.ts";
import {
  type HttpDependencies,
  type HttpHandler,
  type HttpRequest,
  type HttpResponse,
  readRequest,
} from "./http-handler.ts";
import { type Claims, identify } from "./identity.ts";
import type { Operation } from "./operations.ts";
import { createRequestMeter, type Observed } from "./recorded.ts";

/** Milliseconds before the function's end at which a request is answered with 503 rather than cut off. */
const TIMEOUT_MARGIN = 500;

/** A request whose answer may be a stream; it is repeatable by itself, as its answer cannot be kept whole. */
export interface StreamRequest<O extends Operation> extends HttpRequest<O> {
  repeatable: Repeatable;
}

export type StreamResponse =
  | HttpResponse
  | {
      status: number;
      headers: Record<string, string>;
      /** Pieces of the body, as they come. */
      stream: AsyncIterable<string>;
      /** Resolves when everything is done that the request set off: the function runs until then, whether or not somebody reads. */
      done: Promise<void>;
    };

export interface StreamDependencies extends HttpDependencies {
  idempotency: IdempotencyStore;
  /** How the answer leaves the function. @default as a value, for tests; on Lambda, as a response stream */
  executionMode?: typeof executionModeStandard;
}

/** Like `createHttpHandler`, for operations that stream. */
export function createStreamHandler<O extends Operation>(
  operation: O,
  { clock, corsOrigins, recorder, newId = randomId, executionMode = executionModeStandard }: StreamDependencies,
  serve: (request: StreamRequest<O>) => Promise<StreamResponse>,
): HttpHandler {
  const meter = createRequestMeter(operation, recorder);
  const ends = new WeakMap<APIGatewayProxyEvent, Promise<void>>();

  const handler = async (event: APIGatewayProxyEvent, context: Context): Promise<APIGatewayProxyResult> => {
    meter.begin(event);
    const started = clock();
    const remaining = context.getRemainingTimeInMillis();
    const claims = event.requestContext.authorizer as Claims | undefined;
    const user = identify(claims, headerOf(event, "x-user-id"), operation.access, started);
    if (user !== "") {
      meter.identify(event, user);
      setRequestUser(user);
    }
    const parts = readRequest(operation, event);
    const request = {
      ...parts,
      user,
      header: (name: string) => headerOf(event, name),
      identity: { seed: newId(), at: started },
      plan: claims?.plan ?? "",
      observe: (observed: Observed) => meter.observe(event, observed),
      deadline: started + remaining,
      repeatable: {
        user,
        key: operation.method === "POST" ? headerOf(event, "idempotency-key") : undefined,
        request: [operation.method, event.path, parts.query, parts.body],
        remaining,
      },
    } as unknown as StreamRequest<O>;
    const response = await serve(request);
    if (!("stream" in response)) return toResult(response);
    ends.set(event, response.done);
    return {
      statusCode: response.status,
      headers: response.headers,
      // Lambda's response stream takes a Readable in the place of text.
      body: Readable.from(response.stream) as unknown as string,
    };
  };

  const answered = middy<APIGatewayProxyEvent, APIGatewayProxyResult>({
    executionMode,
    timeoutEarlyInMillis: TIMEOUT_MARGIN,
    timeoutEarlyResponse: () => {
      throw new AppError("unavailable", "the request took too long", { retryAfter: 1 });
    },
    // The client has the whole answer by now, but a function is frozen once it has returned: the rest is waited for.
    requestEnd: async (request) => {
      const { event, response } = request as Request<APIGatewayProxyEvent, APIGatewayProxyResult>;
      await ends.get(event);
      if (response) await meter.end(event, response);
    },
  })
    .use(answers(corsOrigins))
    .handler(handler) as unknown as HttpHandler;
  // Where it streams there is one argument more: the stream comes before the context.
  return (event, ...rest) => inRequest({ id: requestIdOf(event) }, () => answered(event, ...rest));
}

function toResult({ status, headers, body }: HttpResponse): APIGatewayProxyResult {
  if (body === undefined) return { statusCode: status, headers: { ...headers }, body: "" };
  return {
    statusCode: status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}
