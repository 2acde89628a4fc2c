/** Headers that a page may send without a preflight, and read without permission (Fetch standard, "CORS-safelisted"). */
const SAFE_REQUEST_HEADERS = ["accept", "accept-language", "content-language"];
const SAFE_CONTENT_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
const SAFE_METHODS = ["GET", "HEAD", "POST"];
const SAFE_RESPONSE_HEADERS = ["cache-control", "content-language", "content-length", "content-type", "expires"];

/** Returns a `fetch` that works as in a page of this origin: it sends preflights, and hides headers that are not exposed. */
export function fetchFrom(origin: string): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    // SDKs send this header from Node, but not from a browser.
    request.headers.delete("user-agent");
    const asked = [...request.headers].filter(([name, value]) => !isSafe(name, value)).map(([name]) => name);
    if (asked.length > 0 || !SAFE_METHODS.includes(request.method)) await ask(request, origin, asked.sort());
    const headers = new Headers(request.headers);
    headers.set("origin", origin);
    const response = await fetch(new Request(request, { headers }));
    mustAllow(response, origin);
    const exposed = listOf(response, "access-control-expose-headers");
    const visible = [...response.headers].filter(
      ([name]) => SAFE_RESPONSE_HEADERS.includes(name) || exposed.includes(name),
    );
    return new Response(response.body, { status: response.status, headers: visible });
  };
}

async function ask({ url, method }: Request, origin: string, asked: string[]): Promise<void> {
  const preflight = await fetch(url, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      ...(asked.length > 0 && { "access-control-request-headers": asked.join(",") }),
    },
  });
  if (!preflight.ok) throw new TypeError(`CORS: the preflight of ${url} was answered with ${preflight.status}`);
  mustAllow(preflight, origin);
  const methods = listOf(preflight, "access-control-allow-methods");
  if (!SAFE_METHODS.includes(method) && !methods.includes(method.toLowerCase())) {
    throw new TypeError(`CORS: ${method} is not allowed`);
  }
  const allowed = listOf(preflight, "access-control-allow-headers");
  const missing = asked.filter((name) => !allowed.includes(name));
  if (missing.length > 0) throw new TypeError(`CORS: the headers ${missing.join(", ")} are not allowed`);
}

function mustAllow({ headers }: Response, origin: string): void {
  const allowed = headers.get("access-control-allow-origin");
  if (allowed !== "*" && allowed !== origin)
    throw new TypeError(`CORS: ${allowed ?? "no origin"} is allowed, not ${origin}`);
}

function isSafe(name: string, value: string): boolean {
  if (name === "content-type") return SAFE_CONTENT_TYPES.includes(value.split(";")[0]?.trim().toLowerCase() ?? "");
  return SAFE_REQUEST_HEADERS.includes(name);
}

const listOf = ({ headers }: Response, name: string): string[] =>
  (headers.get(name) ?? "").split(",").map((item) => item.trim().toLowerCase());
