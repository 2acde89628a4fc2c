const text = (description: string) => ({ description, schema: { type: "string" } }) as const;
const seconds = (description: string) => ({ description, schema: { type: "integer", minimum: 1 } }) as const;

/** Every response header that Memocha sets, as OpenAPI describes it. */
export const responseHeaders = {
  "x-request-id": text("Names the request in the operators' logs."),
  "cache-control": text("Answers must not be stored, except the files of the page."),
  "content-security-policy": text("What the page may load. Other answers load nothing."),
  "referrer-policy": text("Browsers do not send addresses of the API to other sites."),
  "strict-transport-security": text("Browsers use HTTPS only."),
  "x-content-type-options": text("Browsers do not guess the content type."),
  vary: text("With CORS only: the answer depends on the Origin."),
  "access-control-allow-origin": text("With CORS only: the Origin, if it may call."),
  "access-control-expose-headers": text("With CORS only: the headers that a page may read."),
  etag: text("Names this version of the session, for If-Match and If-None-Match."),
  location: text("The path of the session, or of the page."),
  "content-encoding": text("`gzip`, if the client accepts it."),
  "idempotency-replayed": text(
    "`true` when the answer belongs to an earlier request: the Idempotency-Key is the same, or an SDK has retried.",
  ),
  "www-authenticate": text("`Bearer`, and where clients of `/mcp` learn who issues tokens (RFC 9728)."),
  "retry-after": seconds("Seconds after which to try again."),
  ratelimit: text("What is left of each limit of the plan (draft-ietf-httpapi-ratelimit-headers)."),
  "ratelimit-policy": text("The limits of the plan."),
  "x-session-id": text("The session of the answer."),
  "x-vercel-ai-ui-message-stream": text("Of a stream: the version of the AI SDK's protocol."),
  "x-accel-buffering": text("Of a stream: proxies must not buffer it."),
} as const;

export type ResponseHeader = keyof typeof responseHeaders;

/** Headers of every answer: browsers must not store, sniff or frame it, or tell other sites of it. */
export const SECURITY_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-content-type-options": "nosniff",
} as const satisfies Partial<Record<ResponseHeader, string>>;
