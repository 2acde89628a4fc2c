import { functionName } from "../assembly/physical.ts";
import type { Resource } from "../assembly/resolve.ts";
import { compilePolicy, type Statement } from "../iam/statement.ts";
import type { LambdaFunction } from "../lambda/lambda-function.ts";
import type { ProxyEvent } from "./event.ts";
import type { GatewayResponseKind } from "./gateway-response.ts";

/** Cached decisions at most. The oldest is deleted first. */
const CACHE_LIMIT = 10_000;

/** Default seconds in the cache. */
const DEFAULT_TTL = 300;

/** A Lambda authorizer of the template, of the type TOKEN. */
export interface AuthorizerSpec {
  name: string;
  functionName: string;
  /** The header with the token, in lower case. */
  header: string;
  /** A token that does not match gets 401 without an invocation. */
  validation: RegExp | undefined;
  /** Seconds in the cache; 0 = no cache. */
  ttl: number;
  /** Why the gateway may not invoke its function. */
  refused?: string | undefined;
}

interface Denied {
  kind: GatewayResponseKind;
  message: string;
  cause?: string;
}

interface Decision {
  statements: readonly Statement[];
  context: Record<string, string>;
}

/** Decides on a request. Resolves with the context for the function, or with the gateway's answer. */
type Authorize = (
  spec: AuthorizerSpec,
  event: ProxyEvent,
  methodArn: string,
) => Promise<{ context: Record<string, string> } | Denied>;

/** Reads a Lambda authorizer. Warns about other authorizers and returns undefined. */
export function readAuthorizer(
  { logicalId, properties }: Resource,
  warn: (message: string) => void,
): AuthorizerSpec | undefined {
  const { Type, AuthorizerUri, IdentitySource, IdentityValidationExpression, AuthorizerResultTtlInSeconds, Name } =
    properties as Record<string, string | undefined>;
  const arn = /\/functions\/(.+)\/invocations$/.exec(AuthorizerUri ?? "")?.[1];
  const header = /^method\.request\.header\.([\w-]+)$/.exec(IdentitySource ?? "")?.[1];
  if (Type !== "TOKEN" || !arn || !header) {
    warn(`${logicalId}: the local gateway supports Lambda authorizers of the type TOKEN only, not ${Type}`);
    return undefined;
  }
  return {
    name: Name ?? logicalId,
    functionName: functionName(arn),
    header: header.toLowerCase(),
    validation: IdentityValidationExpression ? new RegExp(`^(?:${IdentityValidationExpression})$`) : undefined,
    ttl: Number(AuthorizerResultTtlInSeconds ?? DEFAULT_TTL),
  };
}

/**
 * Runs Lambda authorizers as API Gateway does. Policies are cached per token and evaluated per method, so the policy for one route
 * also decides for others. Concurrent requests with the same token share one invocation.
 */
export function createAuthorize(find: (functionName: string) => LambdaFunction | undefined): Authorize {
  const cache = new Map<string, { answer: Promise<Decision | Denied>; until: number }>();

  async function ask(spec: AuthorizerSpec, token: string, methodArn: string): Promise<Decision | Denied> {
    if (spec.refused) return failure("AUTHORIZER_CONFIGURATION_ERROR", spec.refused);
    const target = find(spec.functionName);
    if (!target) return failure("AUTHORIZER_CONFIGURATION_ERROR", `no function ${spec.functionName}`);
    const event = { type: "TOKEN", methodArn, authorizationToken: token };
    const { payload, error } = await target.invoke(JSON.stringify(event));
    if (error?.errorMessage === "Unauthorized") return unauthorized;
    if (!error) return readDecision(payload);
    const why = error.detail ?? `${error.errorType}: ${error.errorMessage}`;
    return failure("AUTHORIZER_FAILURE", `${target.label} failed: ${why}`);
  }

  /** Keeps an answer while it is awaited, and a decision for the authorizer's time. */
  function askOnce(spec: AuthorizerSpec, token: string, methodArn: string): Promise<Decision | Denied> {
    const key = JSON.stringify([spec.name, token]);
    const known = cache.get(key);
    if (known && known.until > performance.now()) return known.answer;
    const answer = ask(spec, token, methodArn);
    const entry = { answer, until: Number.POSITIVE_INFINITY };
    const [oldest] = cache.size >= CACHE_LIMIT ? cache.keys() : [];
    if (oldest !== undefined) cache.delete(oldest);
    cache.delete(key);
    cache.set(key, entry);
    void answer.then((asked) => {
      entry.until = "statements" in asked ? performance.now() + spec.ttl * 1000 : 0;
    });
    return answer;
  }

  return async (spec, event, methodArn) => {
    const token = Object.entries(event.headers).find(([name]) => name.toLowerCase() === spec.header)?.[1];
    if (!token || spec.validation?.test(token) === false) return unauthorized;
    const asked = await (spec.ttl > 0 ? askOnce(spec, token, methodArn) : ask(spec, token, methodArn));
    return "statements" in asked ? applyPolicy(asked, methodArn) : asked;
  };
}

const unauthorized: Denied = { kind: "UNAUTHORIZED", message: "Unauthorized" };

function failure(kind: GatewayResponseKind, cause: string): Denied {
  return { kind, message: "Internal server error", cause };
}

/** A Deny overrides every Allow, and without an Allow the method is denied. */
function applyPolicy(
  { statements, context }: Decision,
  resource: string,
): Denied | { context: Record<string, string> } {
  const applying = statements.filter(({ match }) => match({ action: "execute-api:Invoke", resource }, () => undefined));
  const isDenied = applying.some(({ effect }) => effect === "Deny");
  if (applying.length > 0 && !isDenied) return { context };
  const message = "User is not authorized to access this resource";
  const suffix = isDenied ? " with an explicit deny in an identity-based policy" : "";
  return { kind: "ACCESS_DENIED", message: message + suffix };
}

function readDecision(payload: string): Decision | Denied {
  const answer = JSON.parse(payload) as { principalId?: unknown; policyDocument?: unknown; context?: object } | null;
  if (answer?.principalId === undefined || !answer.policyDocument) {
    const cause = `the authorizer returned no principalId or no policy: ${payload.slice(0, 300)}`;
    return failure("AUTHORIZER_CONFIGURATION_ERROR", cause);
  }
  const context: Record<string, string> = { principalId: String(answer.principalId) };
  for (const [name, value] of Object.entries(answer.context ?? {})) {
    if (typeof value === "object" && value !== null) {
      const cause = `the authorizer's context has an object or array in ${name}; allowed are texts, numbers and booleans`;
      return failure("AUTHORIZER_CONFIGURATION_ERROR", cause);
    }
    // The integration gets all values as text.
    if (value !== null && value !== undefined) context[name] = String(value);
  }
  try {
    return { statements: compilePolicy(answer.policyDocument, "the authorizer's policy"), context };
  } catch (error) {
    return failure("AUTHORIZER_CONFIGURATION_ERROR", (error as Error).message);
  }
}
