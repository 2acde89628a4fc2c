import type { ConditionKeys } from "./condition.ts";
import type { Grant, Permission, Principal, Statement } from "./statement.ts";

export type Decision = { allowed: true } | { allowed: false; reason: Reason };

/** The reason why a permission is refused. */
export type Reason = "no-identity-policy" | "no-resource-policy" | "identity-deny" | "resource-deny";

/**
 * Decides as IAM does within one account. A deny in either policy wins; otherwise one allow in either policy is enough.
 * An allow for the whole account has no effect, because it leaves the decision to the identity's policies. Counts the use
 * of grants.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function evaluate(
  permission: Permission,
  principal: Principal,
  { identity, resource }: { identity: readonly Statement[]; resource: readonly Statement[] },
  keys: ConditionKeys,
): Decision {
  const ofIdentity = identity.map((statement) => ({ statement, grants: statement.match(permission, keys) }));
  const ofResource = resource.map((statement) => {
    const named = statement.names(principal);
    return { statement, named, grants: named && statement.match(permission, keys) };
  });
  const denies = ({ statement, grants }: { statement: Statement; grants: readonly Grant[] | undefined }) =>
    statement.effect === "Deny" && grants !== undefined;
  if (ofIdentity.some(denies)) return { allowed: false, reason: "identity-deny" };
  if (ofResource.some(denies)) return { allowed: false, reason: "resource-deny" };
  const allowing = [
    ...ofIdentity.filter(({ statement }) => statement.effect === "Allow"),
    ...ofResource.filter(({ statement, named }) => statement.effect === "Allow" && named === "principal"),
  ].flatMap(({ grants }) => (grants ? [grants] : []));
  if (allowing.length === 0) {
    return { allowed: false, reason: principal.kind === "role" ? "no-identity-policy" : "no-resource-policy" };
  }
  for (const grant of allowing.flat()) grant.used += 1;
  return { allowed: true };
}
