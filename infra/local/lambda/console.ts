import { AsyncLocalStorage } from "node:async_hooks";
import { format } from "node:util";
import type { FromWorker, LogLevel } from "./messages.ts";

/** The id of the invocation that the running code belongs to. */
export const invocation = new AsyncLocalStorage<string>();

const levels: Record<string, LogLevel> = {
  error: "error",
  warn: "info",
  log: "info",
  info: "info",
  debug: "info",
  trace: "info",
};

/** Sends what a function logs to the host, with the invocation it belongs to. */
export function captureConsole(post: (message: FromWorker) => void): void {
  for (const [method, level] of Object.entries(levels)) {
    Object.assign(console, {
      [method]: (...parts: unknown[]) => {
        post({ kind: "log", id: invocation.getStore(), level, text: format(...parts) });
      },
    });
  }
}
