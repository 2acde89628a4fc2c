import {
  ExponentialBackoff,
  fullJitterGenerator,
  handleWhen,
  type IBackoff,
  type IBackoffFactory,
  type IRetryBackoffContext,
  retry,
} from "cockatiel";
import type { Clock } from "../clock.ts";
import type { Breaker } from "./breaker.ts";
import type { Ask } from "./model.openai.ts";
import type { Model, ModelAnswer, ModelRequest } from "./model.ts";
import { isRetryable, ModelError } from "./model-error.ts";
import type { Queue } from "./queue.ts";
import { type Target, type TargetSettings, targetsOf } from "./targets.ts";

export interface Resilience {
  ask: Ask;
  breaker: Breaker;
  queue: Queue;
  targets: TargetSettings;
  /** Attempts at one provider, the first included. */
  maxAttempts: number;
  /** Milliseconds before the first retry, at most; doubled for each further one. */
  backoff: number;
  clock: Clock;
}

/**
 * A model that is asked again while nothing was said, with full jitter and as late as the provider wants, and replaced by the next
 * one when it stays away. Once the first token is out, the answer is what it is.
 */
export function createResilientModel(deps: Resilience): Model {
  return {
    lookAhead(asked) {
      const [first] = targetsOf(deps.targets, asked);
      // What becomes known is kept for the call.
      if (first) void deps.breaker.check(first.provider).catch(() => undefined);
    },
    ask: (request) => askInOrder(deps, request),
  };
}

async function askInOrder(deps: Resilience, request: ModelRequest): Promise<ModelAnswer> {
  const deadline = deps.clock() + request.firstTokenWithin;
  let problem: unknown;
  for (const target of targetsOf(deps.targets, request.model)) {
    try {
      return await askTarget(deps, target, request, deadline);
    } catch (error) {
      // What one provider will not take, the next will not either; and somebody who has gone needs no other.
      if (request.signal.aborted || (error instanceof ModelError && error.failure === "refused")) throw error;
      problem = sooner(problem, error);
    }
  }
  throw problem;
}

async function askTarget(
  deps: Resilience,
  target: Target,
  request: ModelRequest,
  deadline: number,
): Promise<ModelAnswer> {
  const { clock, breaker, queue, ask } = deps;
  const left = () => deadline - clock();
  const isWorthwhile = (error: unknown) =>
    isRetryable(error) && !request.signal.aborted && (error.retryAfter ?? 0) < left();
  const policy = retry(handleWhen(isWorthwhile), {
    maxAttempts: deps.maxAttempts - 1,
    backoff: atLeastRetryAfter(
      new ExponentialBackoff({
        generator: fullJitterGenerator,
        initialDelay: deps.backoff,
        maxDelay: deps.backoff * 16,
      }),
    ),
  });
  const prompt = await request.promptFor(target.model);
  const tokens = prompt.tokens + prompt.maxOutputTokens;
  const events = await policy.execute(async () => {
    // Who would not be let through takes no place.
    await breaker.check(target.provider);
    await queue(target.provider, tokens, left(), request.signal);
    return breaker.run(target.provider, () => ask(target, prompt, { ...request, firstTokenWithin: left() }));
  }, request.signal);
  return { model: target.model, events };
}

/** A backoff that is never shorter than what the provider asked for. */
function atLeastRetryAfter(inner: IBackoffFactory<unknown>): IBackoffFactory<IRetryBackoffContext<unknown>> {
  return {
    next(context): IBackoff<IRetryBackoffContext<unknown>> {
      const step = inner.next(context);
      const { error } = context.result as { error?: unknown };
      const wanted = error instanceof ModelError ? (error.retryAfter ?? 0) : 0;
      return { duration: Math.max(step.duration, wanted), next: atLeastRetryAfter(step).next };
    },
  };
}

/** Of two problems, the one after which a retry makes sense first. */
function sooner(a: unknown, b: unknown): unknown {
  const wait = (error: unknown) => (error instanceof ModelError ? (error.retryAfter ?? 1000) : 0);
  return a === undefined || wait(b) < wait(a) ? b : a;
}
