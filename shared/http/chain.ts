import type { Readable } from "node:stream";
import middy, { type Request } from "@middy/core";
import type { executionModeStandard } from "@middy/core/executionModeStandard";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type { AuditOutbox } from "../audit/audit-record.ts";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { IdempotencyStore } from "../idempotency/idempotency-store.ts";
import { inRequest } from "../log.ts";
import type { Recorder } from "../metrics/recorder.ts";
import { newPerson, type Person, type PersonStore } from "../privacy/person.ts";
import { refuseWrites } from "../privacy/refuse-writes.ts";
import type { NewId } from "../random.ts";
import { answers } from "./answers.ts";
import { authenticate } from "./authenticate.ts";
import { baseUrlOf, headerOf, requestIdOf } from "./headers.ts";
import type { HttpContext, HttpRequest } from "./http-request.ts";
import { leaveNotes, note } from "./leave-notes.ts";
import { measure } from "./measure.ts";
import { type Operation, writesForUser } from "./operations/operation.ts";
import { parseRequest } from "./parse-request.ts";

/** Milliseconds before the end of the function at which a request is answered with 503. */
export const TIMEOUT_MARGIN = 500;

export interface HttpDependencies {
  clock: Clock;
  corsOrigins: readonly string[];
  /** POST operations need it. */
  idempotency?: IdempotencyStore;
  /** Creates the seed of a request's identity. @default randomId */
  newId?: NewId;
  /** Stores the notes of audited requests. @default nothing is noted */
  audit?: AuditOutbox;
  /** Finds the choices of a user, and the running erasure. @default every user is new */
  persons?: Pick<PersonStore, "find">;
  /** Records the metric of each request. @default nothing is recorded */
  recorder?: Recorder;
  /** How middy returns the answer. Streaming functions pass another mode on Lambda. @default as a value */
  executionMode?: typeof executionModeStandard;
}

export type HttpHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

interface Result {
  status: number;
  headers: Record<string, string>;
  body: string | Readable;
  done?: Promise<void>;
}

/** A request that has no identity yet. */
export type ParsedRequest<O extends Operation> = Omit<HttpRequest<O>, "identity">;

/** Creates a handler that runs the middlewares of every HTTP function and then `run` with the checked request. */
export function createChain<O extends Operation>(
  operation: O,
  { clock, corsOrigins, recorder, executionMode, persons, audit }: HttpDependencies,
  run: (request: ParsedRequest<O>, context: HttpContext, event: APIGatewayProxyEvent) => Promise<Result>,
): HttpHandler {
  const chain = middy<APIGatewayProxyEvent, APIGatewayProxyResult, Error, HttpContext>({
    ...(executionMode && { executionMode }),
    timeoutEarlyInMillis: TIMEOUT_MARGIN,
    timeoutEarlyResponse: () => {
      throw new AppError("unavailable", "the request took too long: try again", { retryAfter: 1 });
    },
    // The client has the whole answer now. Lambda freezes a function when it returns, so wait for the rest of the work.
    requestEnd: async (request) => {
      const { context, response } = request as unknown as Request<unknown, APIGatewayProxyResult, Error, HttpContext>;
      await context.work;
      if (response) await context.meter.end(response);
    },
  })
    // A request passes the middlewares from top to bottom, its answer or error from bottom to top.
    .use(measure(operation, recorder))
    .use(answers(operation, corsOrigins))
    .use(authenticate(operation, clock))
    .use(parseRequest(operation))
    .handler(async (event, context) => {
      if (audit && context.user !== "") await leaveNotes(operation, audit, context, requestIdOf(event), clock());
      const { status, headers, body, done } = await run(
        requestOf(operation, event, context, clock(), persons, audit),
        context,
        event,
      );
      context.work = done;
      // Lambda's response stream accepts a Readable where the type says string.
      return { statusCode: status, headers, body: body as string };
    }) as unknown as HttpHandler;
  // Pass all arguments, because a streaming function also gets the stream, before the context.
  return (event, ...rest) => inRequest({ id: requestIdOf(event) }, () => chain(event, ...rest));
}

/** Runs the work of an operation. Throws `being_erased` if the operation writes for a user who is being erased. */
export function runOperation<T>(
  operation: Operation,
  { person }: Pick<ParsedRequest<Operation>, "person">,
  work: () => Promise<T>,
): Promise<T> {
  return writesForUser(operation) ? refuseWrites(person(), work) : work();
}

function requestOf<O extends Operation>(
  operation: O,
  event: APIGatewayProxyEvent,
  context: HttpContext,
  now: number,
  persons?: Pick<PersonStore, "find">,
  audit?: AuditOutbox,
): ParsedRequest<O> {
  const { actor, user, plan, isAdmin, params, query, body, meter } = context;
  let person: Promise<Person> | undefined;
  const remaining = context.getRemainingTimeInMillis();
  const header = (name: string) => headerOf(event, name);
  return {
    user,
    plan,
    isAdmin,
    params,
    query,
    body,
    path: event.requestContext.path,
    baseUrl: baseUrlOf(event),
    person: () => {
      person ??= user === "" || !persons ? Promise.resolve(newPerson) : persons.find(user);
      return person;
    },
    header,
    audit: async (action) => audit?.leave(note({ actor, action, subject: user, request_id: requestIdOf(event) }, now)),
    repeatable: {
      user,
      key: operation.method === "POST" ? header("idempotency-key") : undefined,
      request: [operation.method, event.path, query, operation.body ? body : event.body],
      remaining,
    },
    deadline: now + remaining,
    observe: meter.observe,
  } as ParsedRequest<O>;
}
