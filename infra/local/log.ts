import { styleText } from "node:util";
import type { RequestLog } from "./gateway/server.ts";

/** What the host says. */
export interface Log {
  info(text: string): void;
  /** Only with `--verbose`. */
  detail(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  request(entry: RequestLog): void;
}

/** A log of readable lines. `write` gets each with its line feed. */
export function createLog({ verbose, write }: { verbose: boolean; write(line: string): void }): Log {
  const line = (text: string) => write(`${new Date().toISOString().slice(11, 23)} ${text}\n`);
  const error = (text: string) => line(styleText("red", `error ${text.trimEnd().replaceAll("\n", "\n  ")}`));
  return {
    info: line,
    detail: (text) => {
      if (verbose) line(styleText("dim", text.trimEnd()));
    },
    warn: (text) => line(styleText("yellow", `warning ${text}`)),
    error,
    request({ method, route, path, status, milliseconds, requestId, cause }) {
      const where = verbose && path !== route ? `${route} (${path})` : route;
      line(`${method} ${where} ${status} ${Math.round(milliseconds)} ms ${requestId.slice(0, 8)}`);
      if (cause) error(`${requestId.slice(0, 8)}: ${cause}`);
    },
  };
}
