import type { RoleGrant } from "./access.ts";

/** Describes a grant in one line: function, action, and the resource without region and account. */
function describeGrant({ function: name, action, resource }: RoleGrant): string {
  return `${name} ${action} on ${resource.replace(/^arn:aws:([^:]*):[^:]*:[^:]*:/, "$1:")}`;
}

/** Lists the grants that no call has used, sorted and without duplicates. */
export function unusedGrants(grants: readonly RoleGrant[]): string[] {
  const lines = grants.filter(({ used }) => used === 0).map(describeGrant);
  return [...new Set(lines)].sort();
}

/** Writes a report of all grants, the unused ones first. */
export function formatGrants(grants: readonly RoleGrant[]): string {
  const unused = unusedGrants(grants);
  const used = grants.filter((grant) => grant.used > 0).map((grant) => `${describeGrant(grant)}: ${grant.used}`);
  return [
    `${unused.length} grants were not used:`,
    ...unused,
    "",
    `${used.length} grants were used, with the number of calls:`,
    ...used.sort(),
    "",
  ].join("\n");
}
