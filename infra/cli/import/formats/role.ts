import { type Role, roleSchema } from "../../../../shared/session/schema.ts";
import { BadRecord } from "../bad-record.ts";

/** @throws BadRecord for a role that the API does not know. */
export function readRole(value: unknown, what: string): Role {
  const role = roleSchema.safeParse(value);
  if (role.success) return role.data;
  const found = value === undefined ? "missing role" : `unknown role ${JSON.stringify(value)}`;
  throw new BadRecord(`${what}: ${found} (${roleSchema.options.join(", ")})`);
}
