import { executionModeStreamifyResponse } from "@middy/core/executionModeStreamifyResponse";
import { lazy } from "./lazy.ts";

type Streamify = <T>(handler: T) => T;

/** A handler that streams its answer, made at its first call. Lambda's runtime tells it from others by a mark that it gets here. */
export function lazyStream<A extends unknown[], R>(
  make: (executionMode: typeof executionModeStreamifyResponse) => (...args: A) => R,
): (...args: A) => R {
  const handler = lazy(() => make(executionModeStreamifyResponse));
  const { awslambda } = globalThis as { awslambda?: { streamifyResponse?: Streamify } };
  // Only the runtime has it (the SDK may have made the object): a test that imports the handler does not stream.
  return awslambda?.streamifyResponse?.(handler) ?? handler;
}
