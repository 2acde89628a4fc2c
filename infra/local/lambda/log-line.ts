/** A readable form of what a function logged. */
export interface LogLine {
  /** One line, unless the message has several lines. */
  text: string;
  /** Further fields and stack traces, shown with `--verbose`. */
  more?: string | undefined;
}

/**
 * Makes a structured log line (one JSON object) readable: the request id, then `code: message (cause)`. Other texts end before
 * their stack trace.
 */
export function readLogLine(functionLabel: string, invocationId: string | undefined, logged: string): LogLine {
  const fields = parseFields(logged);
  if (!fields) {
    const { text, more } = splitStack(logged.trimEnd());
    return { text: `${functionLabel}${shortId(invocationId)}: ${text}`, more };
  }
  const { level: _level, request_id, code, message, cause, stack, ...rest } = fields;
  const place = `${functionLabel}${shortId(request_id ?? invocationId)}`;
  const others = Object.entries(rest).map(([name, value]) => `${name}=${plain(value)}`);
  if (message === undefined) return { text: `${place}: ${[code, ...others].filter(Boolean).join(" ")}` };
  const says = [code, message].filter(Boolean).map(plain).join(": ");
  const why = cause === undefined ? "" : ` (${describeCause(cause)})`;
  const trace = typeof stack === "string" ? splitStack(stack).more : undefined;
  return { text: `${place}: ${says}${why}`, more: [others.join(" "), trace].filter(Boolean).join("\n") || undefined };
}

/** Splits a printed error into its message and the rest, which begins with the stack trace. */
export function splitStack(printed: string): LogLine {
  const at = printed.search(/\n +at /);
  return at < 0 ? { text: printed } : { text: printed.slice(0, at), more: printed.slice(at + 1) };
}

function parseFields(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function describeCause(cause: unknown): string {
  if (typeof cause !== "object" || cause === null) return plain(cause);
  const { name, message } = cause as { name?: unknown; message?: unknown };
  return message === undefined ? plain(cause) : [name, message].filter(Boolean).map(plain).join(": ");
}

const plain = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const shortId = (id: unknown): string => (id ? ` ${String(id).slice(0, 8)}` : "");
