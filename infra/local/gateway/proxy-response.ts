/** The response of a proxy integration. A streamed one has no body here. */
export interface ProxyResponse {
  status: number;
  /** Name and value, or name and values. */
  headers: Record<string, string | string[]>;
  body: string;
  isBase64Encoded: boolean;
}

/** Response headers that API Gateway renames. */
const REMAPPED = new Set(["www-authenticate", "date", "server", "connection", "via"]);
/** Response headers of the connection, which the gateway sets itself. */
const DROPPED = new Set(["content-length", "transfer-encoding", "keep-alive"]);

/** Reads the response of a function; undefined when it is malformed for API Gateway (502). */
export function readProxyResponse(payload: string): ProxyResponse | undefined {
  const answer = parse(payload);
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return undefined;
  const { statusCode = 200, headers, multiValueHeaders, body, isBase64Encoded } = answer as Record<string, unknown>;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
  if (body !== undefined && body !== null && typeof body !== "string") return undefined;
  const merged = readHeaders(headers, multiValueHeaders);
  if (!merged) return undefined;
  return { status, headers: merged, body: body ?? "", isBase64Encoded: isBase64Encoded === true };
}

function readHeaders(headers: unknown, multiValueHeaders: unknown): Record<string, string | string[]> | undefined {
  const merged: Record<string, string | string[]> = {};
  for (const source of [headers, multiValueHeaders]) {
    if (source === undefined || source === null) continue;
    if (typeof source !== "object" || Array.isArray(source)) return undefined;
    for (const [name, value] of Object.entries(source)) {
      const lower = name.toLowerCase();
      if (value === null || value === undefined || DROPPED.has(lower)) continue;
      if (!Array.isArray(value) && typeof value === "object") return undefined;
      merged[REMAPPED.has(lower) ? `x-amzn-remapped-${lower}` : lower] = Array.isArray(value)
        ? value.map(headerValue)
        : headerValue(value);
    }
  }
  return merged;
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
