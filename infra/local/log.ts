import { styleText } from "node:util";
import type { RequestLog } from "./gateway/gateway.ts";
import { splitStack } from "./lambda/log-line.ts";

/** The log of the host. `more` is shown with `--verbose` only. */
export interface Log {
  info(text: string): void;
  /** Shown with `--verbose` only. */
  detail(text: string): void;
  warn(text: string, more?: string): void;
  error(text: string, more?: string): void;
  request(entry: RequestLog): void;
}

/** Creates a log of readable lines. `write` gets each line with its line feed. */
export function createLog({ verbose, write }: { verbose: boolean; write(line: string): void }): Log {
  const line = (text: string) => write(`${new Date().toISOString().slice(11, 23)} ${text}\n`);
  const whole = (text: string, more: string | undefined) =>
    (verbose && more ? `${text.trimEnd()}\n${more}` : text).trimEnd().replaceAll("\n", "\n  ");
  const error = (text: string, more?: string) => line(styleText("red", `error ${whole(text, more)}`));
  return {
    info: line,
    detail: (text) => {
      if (verbose) line(styleText("dim", text.trimEnd()));
    },
    warn: (text, more) => line(styleText("yellow", `warning ${whole(text, more)}`)),
    error,
    request({ method, route, path, status, milliseconds, requestId, cause }) {
      const where = verbose && path !== route ? `${route} (${path})` : route;
      line(`${method} ${where} ${status} ${Math.round(milliseconds)} ms ${requestId.slice(0, 8)}`);
      if (!cause) return;
      const { text, more } = splitStack(cause);
      error(`${requestId.slice(0, 8)}: ${text}`, more);
    },
  };
}
