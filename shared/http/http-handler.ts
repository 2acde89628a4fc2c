import { isFinal } from "../idempotency/attempt.ts";
import type { KeptAnswer } from "../idempotency/idempotency-store.ts";
import { type Answer, runOnce } from "../idempotency/run-once.ts";
import type { RequestIdentity } from "../session/session.ts";
import {
  createChain,
  type HttpDependencies,
  type HttpHandler,
  type ParsedRequest,
  runOperation,
  TIMEOUT_MARGIN,
} from "./chain.ts";
import { requestIdOf } from "./headers.ts";
import type { HttpRequest } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";
import { problemAnswer } from "./problem.ts";

export interface HttpResponse<Kept = undefined> {
  status: number;
  headers?: Record<string, string>;
  /** Sent as JSON; absent = no body. */
  body?: unknown;
  /** Returns the data that is kept for repeats instead of the body: ids and times, no content. Called only with an Idempotency-Key. */
  keep?: () => Kept | Promise<Kept>;
}

/** A repeat of a request that was answered. It does not run again, so it adds nothing to the metric. */
export type RepeatedRequest<O extends Operation> = Omit<ParsedRequest<O>, "observe">;

/**
 * Creates the Lambda function of one operation. `serve` runs once per Idempotency-Key. `repeat` makes the body of the first answer again
 * from the data that `keep` returned. A POST whose answer has content needs `repeat`, because a kept answer would still exist after a
 * deletion. Without `repeat`, the body is kept.
 */
export function createHttpHandler<O extends Operation, Kept = undefined>(
  operation: O,
  deps: HttpDependencies,
  serve: (request: HttpRequest<O>) => Promise<HttpResponse<Kept>>,
  repeat?: (request: RepeatedRequest<O>, kept: Kept) => Promise<unknown>,
): HttpHandler {
  return createChain(operation, deps, async (parsed, { meter }, event) => {
    const request = { ...parsed, deadline: parsed.deadline - 2 * TIMEOUT_MARGIN };

    const run = async (identity: RequestIdentity): Promise<Answer> => {
      let answer: Answer;
      try {
        answer = toAnswer(
          await runOperation(operation, request, () => serve({ ...request, identity } as HttpRequest<O>)),
        );
      } catch (error) {
        if (!isFinal(error)) throw error;
        answer = problemAnswer(error, requestIdOf(event), operation.isOpenAI);
      }
      // Start the metric write now so that it overlaps with the idempotency write.
      void meter.end({ statusCode: answer.status, body: answer.body });
      return answer;
    };

    const repeatAnswer = async (kept: KeptAnswer): Promise<Answer> =>
      repeat && kept.status < 400
        ? { ...kept, body: JSON.stringify(await repeat(request, JSON.parse(kept.body) as Kept)) }
        : kept;

    const { clock, newId, idempotency: store } = deps;
    return runOnce({ store, clock, newId }, request.repeatable, { run, repeat: repeatAnswer });
  });
}

/** Converts a response to the answer that is sent. */
export function toAnswer({ status, headers, body, keep }: HttpResponse<unknown>): Answer {
  if (body === undefined) return { status, headers: { ...headers }, body: "" };
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(keep && { keep: async () => JSON.stringify(await keep()) }),
  };
}
