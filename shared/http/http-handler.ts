import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type * as z from "zod";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { isFinal } from "../idempotency/attempt.ts";
import type { IdempotencyStore, KeptAnswer } from "../idempotency/idempotency-store.ts";
import { type Answer, runOnce } from "../idempotency/run-once.ts";
import { inRequest, setRequestUser } from "../log.ts";
import type { Recorder } from "../metrics/record.ts";
import { type NewId, randomId } from "../random.ts";
import type { RequestIdentity } from "../session/session.ts";
import { answers, problemAnswer, requestIdOf } from "./answers.ts";
import { headerOf } from "./headers.ts";
import { type Claims, identify } from "./identity.ts";
import type { Operation } from "./operations.ts";
import { parseBody } from "./parse-body.ts";
import { createRequestMeter, type Observed } from "./recorded.ts";
import { validate } from "./validate.ts";

/** Milliseconds before the function's end at which a request is answered with 503 rather than cut off. */
const TIMEOUT_MARGIN = 500;

type Parsed<T> = T extends z.ZodType ? z.infer<T> : undefined;
type Part<O, K extends keyof Operation> = O extends { [P in K]: infer T } ? Parsed<T> : undefined;

/** A request as the handler of operation `O` sees it: everything checked against the operation's schemas. */
export interface HttpRequest<O extends Operation> {
  /** Whose data it reaches; empty for public operations. */
  user: string;
  params: Part<O, "params">;
  query: Part<O, "query">;
  body: Part<O, "body">;
  header(name: string): string | undefined;
  identity: RequestIdentity;
  /** Adds what the request did to its metric: sessions created, messages stored. */
  observe(observed: Observed): void;
  /** The plan that the token names; empty = none. */
  plan: string;
  /** Epoch milliseconds by which the answer must be on its way. */
  deadline: number;
}

export interface HttpResponse<Kept = undefined> {
  status: number;
  headers?: Record<string, string>;
  /** Sent as JSON; absent = no body. */
  body?: unknown;
  /**
   * Gives what is kept for a repeat in place of the body: ids and times, no content. Called only for a request with an
   * Idempotency-Key.
   */
  keep?: () => Kept | Promise<Kept>;
}

export interface HttpDependencies {
  clock: Clock;
  corsOrigins: readonly string[];
  /** Needed by operations that are POSTs. */
  idempotency?: IdempotencyStore;
  /** Makes the seed of a request's identity. @default randomId */
  newId?: NewId;
  /** Where each request leaves its metric. @default nowhere */
  recorder?: Recorder;
}

/** A request that was answered before: it is not run again, so there is nothing to observe. */
export type RepeatedRequest<O extends Operation> = Omit<HttpRequest<O>, "identity" | "observe">;

export type HttpHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

/**
 * A Lambda function of one operation: checks the request against it, runs it, answers in the API's conventions. `repeat` makes
 * the body of the first answer again from what was kept of it, for a repeated Idempotency-Key. A POST whose answer holds content
 * needs it, because what is kept outlives a deletion; without it the body is kept.
 */
export function createHttpHandler<O extends Operation, Kept = undefined>(
  operation: O,
  { clock, corsOrigins, idempotency, recorder, newId = randomId }: HttpDependencies,
  serve: (request: HttpRequest<O>) => Promise<HttpResponse<Kept>>,
  repeat?: (request: RepeatedRequest<O>, kept: Kept) => Promise<unknown>,
): HttpHandler {
  const meter = createRequestMeter(operation, recorder);
  const handler = async (event: APIGatewayProxyEvent, context: Context): Promise<APIGatewayProxyResult> => {
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
      plan: claims?.plan ?? "",
      deadline: started + remaining - 2 * TIMEOUT_MARGIN,
    } as RepeatedRequest<O>;
    const run = async (identity: RequestIdentity): Promise<Answer> => {
      const observe = (observed: Observed) => meter.observe(event, observed);
      let answer: Answer;
      try {
        answer = toAnswer(await serve({ ...request, identity, observe } as HttpRequest<O>));
      } catch (error) {
        answer = finalAnswer(error, requestIdOf(event));
      }
      // Written beside what keeps the answer for repeats, where there is such.
      void meter.end(event, { statusCode: answer.status, body: answer.body });
      return answer;
    };
    const answerAgain = async (kept: KeptAnswer): Promise<Answer> =>
      repeat && kept.status < 400
        ? { ...kept, body: JSON.stringify(await repeat(request, JSON.parse(kept.body) as Kept)) }
        : kept;
    const key = operation.method === "POST" ? headerOf(event, "idempotency-key") : undefined;
    const named = [operation.method, event.path, parts.query, operation.body ? parts.body : event.body];
    const answer = idempotency
      ? await runOnce(
          { store: idempotency, clock, newId },
          { user, key, request: named, remaining },
          { run, repeat: answerAgain },
        )
      : await run({ seed: newId(), at: started });
    return { statusCode: answer.status, headers: answer.headers, body: answer.body };
  };

  const answered = middy<APIGatewayProxyEvent, APIGatewayProxyResult>({
    timeoutEarlyInMillis: TIMEOUT_MARGIN,
    timeoutEarlyResponse: () => {
      throw new AppError("unavailable", "the request took too long", { retryAfter: 1 });
    },
  })
    .use(answers(corsOrigins))
    .handler(handler) as unknown as HttpHandler;
  return (event, context) =>
    inRequest({ id: requestIdOf(event) }, async () => {
      meter.begin(event);
      const response = await answered(event, context);
      await meter.end(event, response);
      return response;
    });
}

function toAnswer({ status, headers, body, keep }: HttpResponse<unknown>): Answer {
  if (body === undefined) return { status, headers: { ...headers }, body: "" };
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(keep && { keep: async () => JSON.stringify(await keep()) }),
  };
}

/** The answer that a refusal is; what can be tried again stays an error. */
function finalAnswer(error: unknown, requestId: string): Answer {
  if (isFinal(error)) return problemAnswer(error, requestId);
  throw error;
}

/** What the operation's schemas make of a request. Throws `validation_failed`, `not_found`, and what is wrong with the body. */
export function readRequest(operation: Operation, event: APIGatewayProxyEvent) {
  return {
    params: operation.params && validParams(operation.params, event.pathParameters ?? {}),
    query: operation.query && validate(operation.query, event.queryStringParameters ?? {}),
    body: operation.body && validate(operation.body, bodyOf(event)),
  };
}

/** No body is an empty object: which fields are missing is for the schema to say. */
function bodyOf({ body, isBase64Encoded }: APIGatewayProxyEvent): unknown {
  const value = parseBody(body, isBase64Encoded);
  return value === undefined ? {} : value;
}

/** What is no id names nothing that exists. API Gateway hands path parameters on as they stand in the URL. */
function validParams(schema: z.ZodObject, params: Record<string, string | undefined>): unknown {
  try {
    const decoded = Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value ?? "")]);
    const result = schema.safeParse(Object.fromEntries(decoded));
    if (result.success) return result.data;
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  throw new AppError("not_found", "no such resource");
}
