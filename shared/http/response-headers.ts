const text = (description: string) => ({ description, schema: { type: "string" } }) as const;
const seconds = (description: string) => ({ description, schema: { type: "integer", minimum: 1 } }) as const;

/** Every response header that Memocha sets, as OpenAPI describes it. */
export const responseHeaders = {
  "x-request-id": text("The id of the request in the operators' logs."),
  "cache-control": text("Caches must not store answers, except the files of the page."),
  "content-security-policy": text("The resources that the page may load. Other answers may load none."),
  "referrer-policy": text("Browsers do not send addresses of the API to other sites."),
  "strict-transport-security": text("Browsers use HTTPS only."),
  "x-content-type-options": text("Browsers do not guess the content type."),
  vary: text("Only with CORS: the answer depends on the Origin."),
  "access-control-allow-origin": text("Only with CORS: the Origin, if it may call."),
  "access-control-expose-headers": text("Only with CORS: the headers that a page may read."),
  etag: text("The version of the session, for If-Match and If-None-Match."),
  location: text("The path of the session, or of the page."),
  "content-encoding": text("`gzip`, if the client accepts it."),
  "idempotency-replayed": text(
    "`true` when the answer belongs to an earlier request: the Idempotency-Key is the same, or an SDK has retried.",
  ),
  "www-authenticate": text("`Bearer`, and for clients of `/mcp` the URL that names the issuer of tokens (RFC 9728)."),
  "retry-after": seconds("Seconds after which the client may try again."),
  ratelimit: text("The remaining quota of each limit of the plan (draft-ietf-httpapi-ratelimit-headers)."),
  "ratelimit-policy": text("The limits of the plan."),
  "x-session-id": text("The session of the answer."),
  "x-vercel-ai-ui-message-stream": text("Only of streams: the version of the AI SDK's protocol."),
  "x-accel-buffering": text("Only of streams: proxies must not buffer it."),
} as const;

export type ResponseHeader = keyof typeof responseHeaders;

/** Headers of every answer. Browsers must not store it, guess its type, show it in a frame, or send its URL to other sites. */
export const SECURITY_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-content-type-options": "nosniff",
} as const satisfies Partial<Record<ResponseHeader, string>>;
