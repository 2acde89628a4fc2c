import { BadRecord } from "./bad-record.ts";

/** Whose the sessions are: all of one user, of the user that a field of each record names, or of the token's own. */
export interface UserChoice {
  user?: string | undefined;
  userField?: string | undefined;
}

/** What can be sent in `X-User-Id` as it is: a header has no way to say more, and `%` would read as an escape. */
const USER = /^(?! )[\x20-\x24\x26-\x7e]{1,255}(?<! )$/;

/** Why a name is none for a user; `undefined` when it is one. */
export function checkUser(name: string): string | undefined {
  return USER.test(name) ? undefined : "must be 1 to 255 characters of ASCII without % and spaces at the ends";
}

/** @throws BadRecord when the record does not name a user. */
export function chooseUser(record: unknown, { user, userField }: UserChoice): string | undefined {
  if (userField === undefined) return user;
  const name = (record as Record<string, unknown> | null)?.[userField];
  if (typeof name !== "string" && typeof name !== "number") throw new BadRecord(`${userField}: missing, names no user`);
  const fault = checkUser(String(name));
  if (fault) throw new BadRecord(`${userField}: ${fault}`);
  return String(name);
}
