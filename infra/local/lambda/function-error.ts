import { inspect } from "node:util";
import type { FunctionError } from "./messages.ts";

/** An error as Lambda reports it, with the whole of it (causes too) for the log. */
export function formatError(error: unknown): FunctionError {
  const detail = inspect(error, { depth: 4 });
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), detail };
  return {
    errorType: error.name,
    errorMessage: error.message,
    trace: (error.stack ?? "").split("\n").map((line) => line.trim()),
    detail,
  };
}

/** The payload of a failed invocation. */
export function errorPayload({ errorType, errorMessage, trace }: FunctionError): string {
  return JSON.stringify({ errorType, errorMessage, ...(trace && { trace }) });
}
