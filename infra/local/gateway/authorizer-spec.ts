import { functionName } from "../assembly/physical.ts";
import type { Resource } from "../assembly/resolve.ts";

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
