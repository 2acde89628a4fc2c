import { functionName } from "../assembly/physical.ts";
import type { Resource } from "../assembly/resolve.ts";
import type { LambdaFunction } from "../lambda/function.ts";
import type { ProxyEvent } from "./event.ts";
import type { GatewayResponseKind } from "./gateway-response.ts";
import { evaluatePolicy, isPolicy, type Policy } from "./policy.ts";

/** Cached decisions at most. The oldest is deleted first. */
const CACHE_LIMIT = 10_000;

/** Default seconds in the cache. */
const DEFAULT_TTL = 300;

/** A Lambda authorizer of the template. */
export interface AuthorizerSpec {
  name: string;
  type: "TOKEN" | "REQUEST";
  functionName: string;
  /** Like `method.request.header.Authorization`. */
  identitySources: string[];
  /** A token that does not match gets 401 without an invocation. */
  validation: RegExp | undefined;
  /** Seconds in the cache; 0 = no cache. */
  ttl: number;
  /** Why the gateway may not invoke its function. */
  refused?: string | undefined;
}

export type Authorization =
  | { allowed: true; context: Record<string, string> }
  | { allowed: false; kind: GatewayResponseKind; message: string; cause?: string };

interface Decision {
  policy: Policy;
  context: Record<string, string>;
}

type Asked = Decision | Extract<Authorization, { allowed: false }>;

interface Authorizers {
  authorize(spec: AuthorizerSpec, event: ProxyEvent, methodArn: string): Promise<Authorization>;
}

/**
 * Runs Lambda authorizers as API Gateway does. Policies are cached per identity and evaluated per method, so the policy for one route
 * also decides for others. Concurrent requests with the same identity share one invocation.
 */
export function createAuthorizers(find: (functionName: string) => LambdaFunction | undefined): Authorizers {
  const cache = new Map<string, { decision: Decision; until: number }>();
  const asking = new Map<string, Promise<Asked>>();

  async function decide(spec: AuthorizerSpec, event: ProxyEvent, methodArn: string, key: string): Promise<Asked> {
    const known = cache.get(key);
    if (known && known.until > performance.now()) return known.decision;
    cache.delete(key);
    const asked = await ask(spec, event, methodArn);
    if ("policy" in asked && spec.ttl > 0) {
      const [oldest] = cache.size >= CACHE_LIMIT ? cache.keys() : [];
      if (oldest !== undefined) cache.delete(oldest);
      cache.set(key, { decision: asked, until: performance.now() + spec.ttl * 1000 });
    }
    return asked;
  }

  async function ask(spec: AuthorizerSpec, event: ProxyEvent, methodArn: string): Promise<Asked> {
    if (spec.refused) return failure("AUTHORIZER_CONFIGURATION_ERROR", null, spec.refused);
    const target = find(spec.functionName);
    if (!target) return failure("AUTHORIZER_CONFIGURATION_ERROR", null, `no function ${spec.functionName}`);
    const { payload, error } = await target.invoke(JSON.stringify(authorizerEvent(spec, event, methodArn)));
    if (error?.errorMessage === "Unauthorized") return unauthorized;
    if (error)
      return failure(
        "AUTHORIZER_FAILURE",
        null,
        `${target.label} failed: ${error.detail ?? `${error.errorType}: ${error.errorMessage}`}`,
      );
    return readDecision(payload);
  }

  return {
    async authorize(spec, event, methodArn) {
      const identity = spec.identitySources.map((source) => identityValue(source, event));
      // A REQUEST authorizer without a cache is invoked even if an identity source is missing.
      const needed = spec.type === "TOKEN" || spec.ttl > 0;
      if (needed && identity.some((value) => !value)) return unauthorized;
      if (spec.type === "TOKEN" && spec.validation && !spec.validation.test(identity[0] ?? "")) return unauthorized;
      if (spec.ttl === 0) return applyPolicy(await ask(spec, event, methodArn), methodArn);
      const key = JSON.stringify([spec.name, ...identity]);
      let answer = asking.get(key);
      if (!answer) {
        answer = decide(spec, event, methodArn, key).finally(() => asking.delete(key));
        asking.set(key, answer);
      }
      return applyPolicy(await answer, methodArn);
    },
  };
}

const unauthorized = { allowed: false, kind: "UNAUTHORIZED", message: "Unauthorized" } as const;

function failure(kind: GatewayResponseKind, message: string | null, cause: string): Extract<Asked, { allowed: false }> {
  return { allowed: false, kind, message: message ?? "Internal server error", cause };
}

function applyPolicy(asked: Asked, methodArn: string): Authorization {
  if (!("policy" in asked)) return asked;
  const verdict = evaluatePolicy(asked.policy, methodArn);
  if (verdict === "allow") return { allowed: true, context: asked.context };
  const message = "User is not authorized to access this resource";
  const suffix = verdict === "explicit-deny" ? " with an explicit deny in an identity-based policy" : "";
  return { allowed: false, kind: "ACCESS_DENIED", message: message + suffix };
}

function readDecision(payload: string): Asked {
  const answer = JSON.parse(payload) as { principalId?: unknown; policyDocument?: unknown; context?: object } | null;
  if (!answer || answer.principalId === undefined || !isPolicy(answer.policyDocument)) {
    const cause = `the authorizer returned no principalId or no policy: ${payload.slice(0, 300)}`;
    return failure("AUTHORIZER_CONFIGURATION_ERROR", null, cause);
  }
  const context: Record<string, string> = { principalId: String(answer.principalId) };
  for (const [name, value] of Object.entries(answer.context ?? {})) {
    if (typeof value === "object" && value !== null) {
      const cause = `the authorizer's context has an object or array in ${name}; allowed are texts, numbers and booleans`;
      return failure("AUTHORIZER_CONFIGURATION_ERROR", null, cause);
    }
    // The integration gets all values as text.
    if (value !== null && value !== undefined) context[name] = String(value);
  }
  return { policy: answer.policyDocument, context };
}

function authorizerEvent(spec: AuthorizerSpec, event: ProxyEvent, methodArn: string): object {
  if (spec.type === "TOKEN") {
    const source = spec.identitySources[0] ?? "method.request.header.Authorization";
    return { type: "TOKEN", methodArn, authorizationToken: identityValue(source, event) };
  }
  const { body: _body, isBase64Encoded: _encoded, ...request } = event;
  return { type: "REQUEST", methodArn, ...request };
}

function identityValue(source: string, event: ProxyEvent): string | undefined {
  const [, place = "", name = ""] = /^(?:method\.request\.)?(header|querystring|context)\.(.+)$/.exec(source) ?? [];
  if (place === "header") return headerOf(event, name);
  if (place === "querystring") return event.queryStringParameters?.[name];
  if (place === "context") return (event.requestContext as unknown as Record<string, string | undefined>)[name];
  return source.startsWith("stageVariables.") ? event.stageVariables?.[source.slice(15)] : undefined;
}

function headerOf({ headers }: ProxyEvent, name: string): string | undefined {
  const wanted = name.toLowerCase();
  for (const [header, value] of Object.entries(headers)) if (header.toLowerCase() === wanted) return value;
  return undefined;
}

/** Reads a Lambda authorizer. Warns about other authorizers and returns undefined. */
export function readAuthorizer(resource: Resource, warn: (message: string) => void): AuthorizerSpec | undefined {
  const { Type, AuthorizerUri, IdentitySource, IdentityValidationExpression, AuthorizerResultTtlInSeconds, Name } =
    resource.properties;
  const arn = /\/functions\/(.+)\/invocations$/.exec(String(AuthorizerUri))?.[1];
  if ((Type !== "TOKEN" && Type !== "REQUEST") || !arn) {
    warn(`${resource.logicalId}: the local gateway supports Lambda authorizers only, not ${String(Type)}`);
    return undefined;
  }
  return {
    name: String(Name ?? resource.logicalId),
    type: Type,
    functionName: functionName(arn),
    identitySources: String(IdentitySource ?? "")
      .split(",")
      .map((source) => source.trim())
      .filter(Boolean),
    validation:
      typeof IdentityValidationExpression === "string"
        ? new RegExp(`^(?:${IdentityValidationExpression})$`)
        : undefined,
    ttl: Number(AuthorizerResultTtlInSeconds ?? DEFAULT_TTL),
  };
}
