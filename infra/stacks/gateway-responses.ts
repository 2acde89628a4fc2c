import { ResponseType, type RestApi } from "aws-cdk-lib/aws-apigateway";
import { AppError, type ErrorCode } from "../../shared/errors.ts";
import { problemOf, withOpenAIError } from "../../shared/http/problem.ts";
import { SECURITY_HEADERS } from "../../shared/http/response-headers.ts";

interface GatewayProblem {
  type: ResponseType;
  code: ErrorCode;
  detail?: string;
  /** Seconds after which the client may retry. */
  retryAfter?: number;
}

const noRoute = { code: "not_found", detail: "no such route, or the route does not have this method" } as const;
/** The client must wait longer than the authorizer's timeout for its issuer. */
const noAuthorizer = { code: "unavailable", retryAfter: 5 } as const;
const noAnswer = { code: "unavailable", retryAfter: 1 } as const;

/** Answers that the gateway gives without a handler. The two defaults are for all types that are not listed. */
const problems: readonly GatewayProblem[] = [
  { type: ResponseType.DEFAULT_4XX, code: "bad_request", detail: "the request cannot be read" },
  { type: ResponseType.DEFAULT_5XX, code: "internal" },
  { type: ResponseType.INTEGRATION_TIMEOUT, ...noAnswer },
  { type: ResponseType.INTEGRATION_FAILURE, ...noAnswer },
  // The authorizer throws when the issuer does not answer. AWS does not document which of these two types the gateway then uses.
  { type: ResponseType.AUTHORIZER_FAILURE, ...noAuthorizer },
  { type: ResponseType.AUTHORIZER_CONFIGURATION_ERROR, ...noAuthorizer },
  { type: ResponseType.UNAUTHORIZED, code: "unauthorized", detail: "a valid bearer token is needed" },
  { type: ResponseType.ACCESS_DENIED, code: "forbidden", detail: "the token does not allow this request" },
  { type: ResponseType.WAF_FILTERED, code: "forbidden", detail: "the firewall refused the request" },
  // No method uses AWS signatures, so the gateway gives these answers only for routes that do not exist.
  { type: ResponseType.MISSING_AUTHENTICATION_TOKEN, ...noRoute },
  { type: ResponseType.INVALID_SIGNATURE, ...noRoute },
  { type: ResponseType.EXPIRED_TOKEN, ...noRoute },
  { type: ResponseType.RESOURCE_NOT_FOUND, ...noRoute },
  { type: ResponseType.REQUEST_TOO_LARGE, code: "payload_too_large", detail: "the body is too large" },
  { type: ResponseType.UNSUPPORTED_MEDIA_TYPE, code: "unsupported_media_type", detail: "the body must be JSON" },
  {
    type: ResponseType.THROTTLED,
    code: "too_many_requests",
    detail: "too many requests at the same time: try again in a second",
    retryAfter: 1,
  },
  { type: ResponseType.QUOTA_EXCEEDED, code: "too_many_requests", detail: "the quota is used up", retryAfter: 3600 },
];

/**
 * Gives the gateway's own answers the format of the handlers' errors: problem+json (RFC 9457). A 401 names the metadata in which clients
 * of `/mcp` find where they get a token (RFC 9728, section 5.1). Only the gateway can: it renames this header in the answers of functions.
 *
 * @param publicUrl - the API's URL as clients know it, with a slash at its end
 */
export function addGatewayResponses(api: RestApi, corsOrigins: readonly string[], publicUrl: string): void {
  const metadata = `${publicUrl}.well-known/oauth-protected-resource`;
  for (const { type, code, detail = "", retryAfter } of problems) {
    // The gateway replaces the variable by the request's id. It has one template for all routes, so OpenAI's error is always present.
    const problem = withOpenAIError(problemOf(new AppError(code, detail), "$context.requestId"));
    api.addGatewayResponse(type.responseType, {
      type,
      statusCode: String(problem.status),
      responseHeaders: {
        ...securityHeaders(),
        "x-request-id": "context.requestId",
        ...(code === "unauthorized" ? { "www-authenticate": `'Bearer resource_metadata="${metadata}"'` } : {}),
        ...(retryAfter === undefined ? {} : { "retry-after": `'${retryAfter}'` }),
        ...corsHeaders(corsOrigins),
      },
      // The only template, so that the gateway uses its content type even if the client does not accept it.
      templates: { "application/problem+json": JSON.stringify(problem) },
    });
  }
}

/** Returns the handlers' security headers as literals of the gateway. These are in single quotes, so it omits values with single quotes. */
function securityHeaders(): Record<string, string> {
  const literal = Object.entries(SECURITY_HEADERS).filter(([, value]) => !value.includes("'"));
  return Object.fromEntries(literal.map(([name, value]) => [name, `'${value}'`]));
}

/**
 * Returns the headers that let pages read the answers. The gateway cannot compare an origin with a list. So with several origins it allows
 * the origin of the request, whichever it is: these answers contain no data of users.
 */
function corsHeaders(origins: readonly string[]): Record<string, string> {
  const [only, ...others] = origins;
  if (only === undefined) return {};
  const exposed = { "access-control-expose-headers": "'retry-after,x-request-id'" };
  return others.length === 0
    ? { "access-control-allow-origin": `'${only}'`, ...exposed }
    : { "access-control-allow-origin": "method.request.header.Origin", vary: "'Origin'", ...exposed };
}
