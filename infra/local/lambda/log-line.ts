/** What a function logged, as the terminal shows it. */
export interface LogLine {
  /** One line, unless the message itself has several. */
  text: string;
  /** The rest: fields and stack traces. Shown with `--verbose`. */
  more?: string | undefined;
}

/**
 * Makes a structured line (one JSON object, as functions log on Lambda) readable: its request id, then `code: message (cause)`. Of any other
 * text, the part before a stack trace is the line.
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

/** Divides an error as Node prints it into its message and its stack trace with all that follows. */
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
