import { ResponseType, type RestApi } from "aws-cdk-lib/aws-apigateway";
import { type ErrorCode, statusOf } from "../../shared/errors.ts";

interface GatewayProblem {
  type: ResponseType;
  code: ErrorCode;
  title: string;
  detail: string;
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
}

const noRoute = {
  code: "not_found",
  title: "Not Found",
  detail: "There is no such route, or it does not take this method.",
} as const;
const internal = {
  code: "internal",
  title: "Internal Server Error",
  detail: "Something went wrong here. The request may be tried again.",
} as const;
const unavailable = {
  code: "unavailable",
  title: "Service Unavailable",
  detail: "The answer took too long or never came. The request may be tried again.",
  retryAfter: 1,
} as const;

/** What the gateway answers itself, without a handler. The two defaults stand for every type that is not listed. */
const problems: readonly GatewayProblem[] = [
  { type: ResponseType.DEFAULT_4XX, code: "bad_request", title: "Bad Request", detail: "The request cannot be read." },
  { type: ResponseType.DEFAULT_5XX, ...internal },
  {
    type: ResponseType.UNAUTHORIZED,
    code: "unauthorized",
    title: "Unauthorized",
    detail: "A valid bearer token is required.",
  },
  {
    type: ResponseType.ACCESS_DENIED,
    code: "forbidden",
    title: "Forbidden",
    detail: "The token does not allow this.",
  },
  {
    type: ResponseType.WAF_FILTERED,
    code: "forbidden",
    title: "Forbidden",
    detail: "The firewall refused the request.",
  },
  // No method is authorized by an AWS signature: the gateway only says these of routes that do not exist.
  { type: ResponseType.MISSING_AUTHENTICATION_TOKEN, ...noRoute },
  { type: ResponseType.INVALID_SIGNATURE, ...noRoute },
  { type: ResponseType.EXPIRED_TOKEN, ...noRoute },
  { type: ResponseType.RESOURCE_NOT_FOUND, ...noRoute },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    code: "payload_too_large",
    title: "Payload Too Large",
    detail: "The body is larger than the gateway takes.",
  },
  {
    type: ResponseType.UNSUPPORTED_MEDIA_TYPE,
    code: "unsupported_media_type",
    title: "Unsupported Media Type",
    detail: "The body must be application/json.",
  },
  {
    type: ResponseType.THROTTLED,
    code: "too_many_requests",
    title: "Too Many Requests",
    detail: "The service takes no more requests at this moment.",
    retryAfter: 1,
  },
  {
    type: ResponseType.QUOTA_EXCEEDED,
    code: "too_many_requests",
    title: "Too Many Requests",
    detail: "The quota is used up.",
    retryAfter: 3600,
  },
  { type: ResponseType.INTEGRATION_TIMEOUT, ...unavailable },
  { type: ResponseType.INTEGRATION_FAILURE, ...unavailable },
];

/** Makes everything that the gateway answers by itself a problem (RFC 9457) with the request's id. */
export function addGatewayResponses(api: RestApi, corsOrigins: readonly string[]): void {
  for (const { type, code, title, detail, retryAfter } of problems) {
    const status = statusOf[code];
    api.addGatewayResponse(type.responseType, {
      type,
      statusCode: String(status),
      responseHeaders: {
        "cache-control": "'no-store'",
        "strict-transport-security": "'max-age=63072000; includeSubDomains'",
        "x-content-type-options": "'nosniff'",
        "x-request-id": "context.requestId",
        ...(code === "unauthorized" ? { "www-authenticate": "'Bearer'" } : {}),
        ...(retryAfter === undefined ? {} : { "retry-after": `'${retryAfter}'` }),
        ...corsHeaders(corsOrigins),
      },
      // With one template its content type is the answer's, whatever the client accepts.
      templates: {
        "application/problem+json": JSON.stringify({
          type: "about:blank",
          title,
          status,
          detail,
          code,
          request_id: "$context.requestId",
        }),
      },
    });
  }
}

/**
 * Lets a browser's page read the answer. The gateway cannot look an origin up in a list: of several, it names the one
 * that asks, as these answers hold nothing of anybody's.
 */
function corsHeaders(origins: readonly string[]): Record<string, string> {
  const [only, ...others] = origins;
  if (only === undefined) return {};
  const exposed = { "access-control-expose-headers": "'retry-after,x-request-id'" };
  return others.length === 0
    ? { "access-control-allow-origin": `'${only}'`, ...exposed }
    : { "access-control-allow-origin": "method.request.header.Origin", vary: "'Origin'", ...exposed };
}
