import { backOff, type Clock, sleep } from "../clock.ts";
import type { Breaker } from "./breaker.ts";
import { logModelFailure } from "./log-failure.ts";
import type { Ask } from "./model.openai.ts";
import type { Model, ModelAnswer, ModelRequest } from "./model.ts";
import { givenUp, isRetryable, ModelError } from "./model-error.ts";
import type { Queue } from "./queue.ts";
import { isKnown, type Target, type TargetSettings, targetsOf } from "./targets.ts";

export interface Resilience {
  ask: Ask;
  breaker: Breaker;
  queue: Queue;
  targets: TargetSettings;
  /** Attempts at one provider, the first included. */
  maxAttempts: number;
  /** Maximum milliseconds before the first retry. The maximum doubles for each further retry. */
  backoff: number;
  clock: Clock;
}

/**
 * Creates a model that retries with full jitter, and not before the provider's `Retry-After`. If a target does not answer, it asks the next
 * one. It does not retry after the first token.
 */
export function createResilientModel(deps: Resilience): Model {
  return {
    lookAhead(asked) {
      const [first] = targetsOf(deps.targets, asked);
      // The breaker caches the state, so `ask` does not wait for it.
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
      if (request.signal.aborted) throw error instanceof ModelError ? error : givenUp(error);
      // Do not ask the next target: it would refuse the request too, and the client has not asked for another model.
      if (error instanceof ModelError && isFinal(error, request.model === target.model)) throw error;
      problem = sooner(problem, deploymentsFault(error));
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
  const prompt = await request.promptFor(target.model);
  const tokens = prompt.tokens + prompt.maxOutputTokens;
  const askOnce = async () => {
    // Check the circuit first, so that a rejected call does not take a slot in the queue.
    await breaker.check(target.provider);
    await queue(target.provider, tokens, left(), request.signal);
    return breaker.run(target.provider, () => ask(target, prompt, { ...request, firstTokenWithin: left() }));
  };
  const logFailure = (error: unknown) => {
    if (error instanceof ModelError && !request.signal.aborted) {
      const { provider, model } = target;
      logModelFailure(error, { provider, model, isKnown: isKnown(deps.targets, model) }, prompt);
    }
  };
  for (let retry = 0; ; retry++) {
    try {
      return { model: target.model, events: await askOnce() };
    } catch (error) {
      logFailure(error);
      if (retry + 1 === deps.maxAttempts || !isRetryable(error) || request.signal.aborted) throw error;
      const wanted = error.retryAfter ?? 0;
      if (wanted >= left()) throw error;
      // Wait as long as the provider wants, and add jitter so that instances do not retry at the same moment.
      await Promise.all([sleep(wanted, request.signal), backOff(retry, deps.backoff, deps.backoff * 16)]);
      // A call without time would look like an outage of the provider.
      if (left() <= 0) throw error;
    }
  }
}

/** If the client named no model, the deployment's model is missing. That is not an error of the client. */
function deploymentsFault(error: unknown): unknown {
  if (!(error instanceof ModelError) || error.failure !== "unknown_model") return error;
  const { message, status, said } = error;
  return new ModelError("misconfigured", message, { cause: error, status, said });
}

const isFinal = ({ failure }: ModelError, isAskedFor: boolean): boolean =>
  failure === "refused" || (failure === "unknown_model" && isAskedFor);

/** Returns the error that allows the earlier retry. */
function sooner(a: unknown, b: unknown): unknown {
  const wait = (error: unknown) => {
    if (!(error instanceof ModelError)) return 0;
    return error.failure === "misconfigured" ? Number.POSITIVE_INFINITY : (error.retryAfter ?? 1000);
  };
  return a === undefined || wait(b) < wait(a) ? b : a;
}
