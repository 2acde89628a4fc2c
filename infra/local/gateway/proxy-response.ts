/** The response of a proxy integration. A streamed one has no body here. */
export interface ProxyResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Response headers that API Gateway renames. */
const REMAPPED = new Set(["www-authenticate", "date", "server", "connection", "via"]);
/** Response headers of the connection, which the gateway sets itself. */
const DROPPED = new Set(["content-length", "transfer-encoding", "keep-alive"]);

/** Reads the response of a function; undefined when it is malformed for API Gateway (502). */
export function readProxyResponse(payload: string): ProxyResponse | undefined {
  const answer = parse(payload);
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return undefined;
  const { statusCode = 200, headers, body, ...others } = answer as Record<string, unknown>;
  // The functions here do not use these two, so the gateway does not know them.
  if (others.multiValueHeaders || others.isBase64Encoded) return undefined;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (body !== undefined && body !== null && typeof body !== "string") return undefined;
  const read = readHeaders(headers ?? {});
  return read && { status, headers: read, body: body ?? "" };
}

function readHeaders(headers: unknown): Record<string, string> | undefined {
  if (typeof headers !== "object" || Array.isArray(headers)) return undefined;
  const read: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers as Record<string, unknown>)) {
    const lower = name.toLowerCase();
    if (value === null || value === undefined || DROPPED.has(lower)) continue;
    if (typeof value === "object") return undefined;
    read[REMAPPED.has(lower) ? `x-amzn-remapped-${lower}` : lower] = headerValue(value);
  }
  return read;
}

/** Header values are bytes: a text is sent as UTF-8, and line breaks become blanks. */
function headerValue(value: unknown): string {
  return Buffer.from(String(value).replaceAll(/[\r\n\0]/g, " "), "utf8").toString("latin1");
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
