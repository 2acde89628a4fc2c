import { randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import * as z from "zod";
import { accessKeyOf } from "./iam/signature-v4.ts";
import { type Listening, listen } from "./listen.ts";

/** The error that a service answers with. `name` is its code. */
export class ServiceError extends Error {
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = code;
    this.status = status;
  }
}

interface ServiceAnswer {
  /** @default 200 */
  status?: number;
  headers?: Record<string, string>;
  /** JSON. */
  body?: string;
}

/** Answers a signed request, from its message, its body and the access key in its signature. */
type Answer = (request: IncomingMessage, body: string, accessKeyId: string) => Promise<ServiceAnswer>;

/** Starts an HTTP server that imitates a service of AWS. It refuses requests that cannot come from an SDK. */
export function startService(answer: Answer, log: (line: string) => void = () => {}): Promise<Listening> {
  async function handle(request: IncomingMessage): Promise<ServiceAnswer> {
    try {
      const unsigned = unsignedReason(request.headers);
      if (unsigned) throw new ServiceError("MissingAuthenticationTokenException", unsigned, 403);
      return await answer(request, await text(request), accessKeyOf(request));
    } catch (error) {
      return describe(error, log);
    }
  }
  const server = createServer(async (request, response) => {
    const { status = 200, headers, body } = await handle(request);
    response.writeHead(status, { "content-type": "application/json", "x-amzn-requestid": randomUUID(), ...headers });
    response.end(body);
  });
  return listen(server, 0);
}

interface JsonService {
  /** The name in errors. */
  name: string;
  /** The operations by name. They throw ServiceErrors, and ZodErrors for malformed requests. */
  operations: Record<string, (input: unknown) => object | Promise<object>>;
  /** Returns why the caller may not call an operation; undefined = it may. */
  refuse?(accessKeyId: string, operation: string, input: object): string | undefined;
  log?(line: string): void;
}

/** Starts a service with AWS's JSON protocol: the header `x-amz-target` names the operation. */
export function startJsonService({ name, operations, refuse, log }: JsonService): Promise<Listening> {
  return startService(async ({ headers }, body, accessKeyId) => {
    const operation = String(headers["x-amz-target"]).split(".").at(-1) ?? "";
    const run = operations[operation];
    if (!run) {
      throw new ServiceError(
        "UnknownOperationException",
        `The local ${name} does not support the operation "${operation}".`,
      );
    }
    const input = parseJson(body || "{}");
    const refusal = refuse?.(accessKeyId, operation, input as object);
    if (refusal) throw new ServiceError("AccessDeniedException", refusal, 403);
    return { body: JSON.stringify(await run(input)) };
  }, log);
}

/** Parses a request's body. Throws a ServiceError when it is not JSON. */
export function parseJson(body: string, code = "SerializationException"): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new ServiceError(code, "The body of the request must be JSON.");
  }
}

function describe(error: unknown, log: (line: string) => void): ServiceAnswer {
  const isKnown = error instanceof ServiceError || error instanceof z.ZodError;
  if (!isKnown) log(`A request failed: ${error instanceof Error ? error.stack : error}`);
  const { name, message, status } =
    error instanceof ServiceError
      ? error
      : error instanceof z.ZodError
        ? new ServiceError("ValidationException", z.prettifyError(error))
        : new ServiceError("InternalFailure", "The local host failed. Its log has the reason.", 500);
  const body = JSON.stringify({ __type: name, message, Message: message });
  return { status, headers: { "x-amzn-errortype": name }, body };
}

/**
 * Returns why a request cannot come from an AWS SDK or the AWS CLI; undefined when it can. This keeps web pages out: a page may send a
 * POST to loopback, but always with an `origin`, and with an `authorization` header only after a preflight. The signature itself is
 * not checked, because every local program may call.
 */
function unsignedReason({ authorization, origin }: IncomingHttpHeaders): string | undefined {
  if (origin !== undefined) return "Pages in a browser may not call this endpoint";
  if (authorization?.startsWith("AWS4-HMAC-SHA256 ")) return undefined;
  return "The request has no AWS signature in its Authorization header (any credentials will do)";
}
