import { functionName } from "../assembly/physical.ts";
import type { Resource } from "../assembly/resolve.ts";

/** Seconds that a policy is remembered when the template says nothing. */
const DEFAULT_TTL = 300;

/** A Lambda authorizer of the template. */
export interface AuthorizerSpec {
  name: string;
  type: "TOKEN" | "REQUEST";
  functionName: string;
  /** Like `method.request.header.Authorization`. */
  identitySources: string[];
  /** What a token must look like before the function is asked; anything else is 401. */
  validation: RegExp | undefined;
  /** Seconds; 0 = asked every time. */
  ttl: number;
  /** Why the gateway may not invoke its function. */
  refused?: string | undefined;
}

/** Undefined, with a warning, for what is no Lambda authorizer. */
export function readAuthorizer(resource: Resource, warn: (message: string) => void): AuthorizerSpec | undefined {
  const { Type, AuthorizerUri, IdentitySource, IdentityValidationExpression, AuthorizerResultTtlInSeconds, Name } =
    resource.properties;
  const arn = /\/functions\/(.+)\/invocations$/.exec(String(AuthorizerUri))?.[1];
  if ((Type !== "TOKEN" && Type !== "REQUEST") || !arn) {
    warn(`${resource.logicalId}: the local gateway knows Lambda authorizers only, not ${String(Type)}`);
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
