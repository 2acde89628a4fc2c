import { unmarshall } from "@aws-sdk/util-dynamodb";
import { backOff } from "../clock.ts";
import { AppError } from "../errors.ts";

// What the SDK's errors mean, and which of them `Table` repeats.

/** Attempts at a write that meets a transaction on the same items. */
const MAX_ATTEMPTS = 10;

/** Names and codes of errors after which the same call may succeed. */
const UNAVAILABLE = new Set([
  "ThrottlingException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "TransactionInProgressException",
  "InternalServerError",
  "ServiceUnavailable",
  "TimeoutError",
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
]);

export type StoredItem = Parameters<typeof unmarshall>[0];

/** The item inside an exception: the document client does not unmarshall it. */
export function plain(item: StoredItem | undefined): Record<string, unknown> | undefined {
  return item && unmarshall(item);
}

/** Rejects with the translated error. */
export async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw translate(error);
  }
}

/** Throttling, timeouts and lost connections are `unavailable`; any other error is a wrong call. */
export function translate(error: unknown): AppError {
  const { name, code } = error as { name?: string; code?: string };
  return UNAVAILABLE.has(name ?? "") || UNAVAILABLE.has(code ?? "")
    ? new AppError("unavailable", "the store does not answer", { cause: error, retryAfter: 1 })
    : new AppError("internal", "the store refused a call", { cause: error });
}

/** Repeats a write while another transaction on the same items is under way. `onError` says what an error means, or throws. */
export async function untilUncontended<T>(
  send: () => Promise<T>,
  onError: (error: unknown) => T | "contended",
): Promise<T> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      return await send();
    } catch (error) {
      const result = onError(error);
      if (result !== "contended") return result;
    }
    await backOff(attempt);
  }
  throw new AppError("unavailable", "too many requests write the same items at once: try again", { retryAfter: 1 });
}

/** Why a transaction was cancelled, per action; empty for any other error. */
export function cancellationReasons(error: unknown): { Code?: string; Item?: StoredItem }[] {
  const { name, CancellationReasons = [] } = error as {
    name?: string;
    CancellationReasons?: { Code?: string; Item?: StoredItem }[];
  };
  return name === "TransactionCanceledException" ? CancellationReasons : [];
}
