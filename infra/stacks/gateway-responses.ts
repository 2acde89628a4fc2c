import { ResponseType, type RestApi } from "aws-cdk-lib/aws-apigateway";
import { AppError, type ErrorCode } from "../../shared/errors.ts";
import { SECURITY_HEADERS } from "../../shared/http/answers.ts";
import { problemOf } from "../../shared/http/problem.ts";

interface GatewayProblem {
  type: ResponseType;
  code: ErrorCode;
  detail?: string;
  /** Seconds after which a retry makes sense. */
  retryAfter?: number;
}

const noRoute = { code: "not_found", detail: "there is no such route, or it does not take this method" } as const;
/** Longer than an authorizer takes to give up on an issuer that does not answer. */
const noAuthorizer = { code: "unavailable", retryAfter: 5 } as const;
const noAnswer = { code: "unavailable", retryAfter: 1 } as const;

/** What the gateway answers itself, without a handler. The two defaults stand for every type that is not listed. */
const problems: readonly GatewayProblem[] = [
  { type: ResponseType.DEFAULT_4XX, code: "bad_request", detail: "the request cannot be read" },
  { type: ResponseType.DEFAULT_5XX, code: "internal" },
  { type: ResponseType.INTEGRATION_TIMEOUT, ...noAnswer },
  { type: ResponseType.INTEGRATION_FAILURE, ...noAnswer },
  // An authorizer that throws, because the issuer does not answer, is one of these two: AWS's documentation does not say which.
  { type: ResponseType.AUTHORIZER_FAILURE, ...noAuthorizer },
  { type: ResponseType.AUTHORIZER_CONFIGURATION_ERROR, ...noAuthorizer },
  { type: ResponseType.UNAUTHORIZED, code: "unauthorized", detail: "a valid bearer token is needed" },
  { type: ResponseType.ACCESS_DENIED, code: "forbidden", detail: "the token does not allow this" },
  { type: ResponseType.WAF_FILTERED, code: "forbidden", detail: "the firewall has refused the request" },
  // No method is authorized by an AWS signature: the gateway only says these of routes that do not exist.
  { type: ResponseType.MISSING_AUTHENTICATION_TOKEN, ...noRoute },
  { type: ResponseType.INVALID_SIGNATURE, ...noRoute },
  { type: ResponseType.EXPIRED_TOKEN, ...noRoute },
  { type: ResponseType.RESOURCE_NOT_FOUND, ...noRoute },
  { type: ResponseType.REQUEST_TOO_LARGE, code: "payload_too_large", detail: "the body is larger than can be taken" },
  { type: ResponseType.UNSUPPORTED_MEDIA_TYPE, code: "unsupported_media_type", detail: "the body must be JSON" },
  {
    type: ResponseType.THROTTLED,
    code: "too_many_requests",
    detail: "too many requests at this moment",
    retryAfter: 1,
  },
  { type: ResponseType.QUOTA_EXCEEDED, code: "too_many_requests", detail: "the quota is used up", retryAfter: 3600 },
];

/** Makes everything that the gateway answers by itself a problem (RFC 9457), as the handlers' own are. */
export function addGatewayResponses(api: RestApi, corsOrigins: readonly string[]): void {
  for (const { type, code, detail = "", retryAfter } of problems) {
    // The gateway puts the request's id in the name's place.
    const problem = problemOf(new AppError(code, detail), "$context.requestId");
    api.addGatewayResponse(type.responseType, {
      type,
      statusCode: String(problem.status),
      responseHeaders: {
        ...securityHeaders(),
        "x-request-id": "context.requestId",
        ...(code === "unauthorized" ? { "www-authenticate": "'Bearer'" } : {}),
        ...(retryAfter === undefined ? {} : { "retry-after": `'${retryAfter}'` }),
        ...corsHeaders(corsOrigins),
      },
      // With one template its content type is the answer's, whatever the client accepts.
      templates: { "application/problem+json": JSON.stringify(problem) },
    });
  }
}

/** Those of the handlers, as the gateway's literals: in single quotes, so that none may stand inside. */
function securityHeaders(): Record<string, string> {
  const literal = Object.entries(SECURITY_HEADERS).filter(([, value]) => !value.includes("'"));
  return Object.fromEntries(literal.map(([name, value]) => [name, `'${value}'`]));
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
