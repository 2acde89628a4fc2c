import type { InvokeResult, LambdaFunction } from "./lambda-function.ts";

/** Milliseconds before the first and the second retry of an asynchronous invocation, as on Lambda. */
const RETRY_DELAYS = [60_000, 120_000];

export interface AsynchronousSettings {
  /** 0 to 2. @default 2 */
  retries?: number;
  /** Receives the record of an event whose last attempt failed. */
  onFailure?: (record: object, event: string) => Promise<void>;
}

export type AsynchronousInvoker = ReturnType<typeof createAsynchronousInvoker>;

/** Lambda's `Event` invocations: what EventBridge uses, and `InvocationType: Event`. Events waiting for a retry live in memory. */
export function createAsynchronousInvoker(
  settingsOf: (functionName: string) => AsynchronousSettings,
  warn: (message: string, more?: string) => void,
) {
  const waiting = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let stopped = false;

  function attempt(target: LambdaFunction, event: string, tried = 0): Promise<void> {
    const run = once(target, event, tried).finally(() => running.delete(run));
    running.add(run);
    return run;
  }

  async function once(target: LambdaFunction, event: string, tried: number): Promise<void> {
    const result = await target.invoke(event);
    if (!result.error || stopped) return;
    const { retries = RETRY_DELAYS.length, onFailure } = settingsOf(target.name);
    const { errorType, errorMessage, detail } = result.error;
    const delay = tried < retries ? RETRY_DELAYS[tried] : undefined;
    const next = delay === undefined ? "" : `, retrying in ${delay / 1000} s`;
    warn(`${target.label}: an event failed${next}: ${errorType}: ${errorMessage}`, detail);
    if (delay !== undefined) {
      const timer = setTimeout(() => {
        waiting.delete(timer);
        void attempt(target, event, tried + 1);
      }, delay);
      waiting.add(timer);
      return;
    }
    if (!onFailure)
      return warn(
        `${target.label}: an event failed ${tried === 0 ? "once" : `${tried + 1} times`} and is dropped: ${event.slice(0, 500)}`,
      );
    await onFailure(failureRecord(target, event, result, tried + 1), event).catch((error: unknown) =>
      warn(`${target.label}: a failed event could not be sent to its destination: ${String(error)}`),
    );
  }

  return {
    /** Queues an event and returns at once. A failed event is retried, then passed to `onFailure`. */
    invoke: (target: LambdaFunction, event: string): void => void attempt(target, event),
    /** Like `invoke`, but resolves when the first attempt has succeeded or failed. */
    attempt: (target: LambdaFunction, event: string): Promise<void> => attempt(target, event),
    /** Cancels waiting retries. Resolves when no invocation is running. */
    async stop(): Promise<void> {
      stopped = true;
      for (const timer of waiting) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}

/** The record that Lambda sends to an on-failure destination. */
function failureRecord(target: LambdaFunction, event: string, result: InvokeResult, attempts: number): object {
  return {
    version: "1.0",
    timestamp: new Date().toISOString(),
    requestContext: {
      requestId: result.requestId,
      functionArn: `${target.arn}:$LATEST`,
      condition: "RetriesExhausted",
      approximateInvokeCount: attempts,
    },
    requestPayload: parse(event),
    responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
    responsePayload: parse(result.payload),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
