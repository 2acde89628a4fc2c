import { BadRecord } from "./conversation.ts";
import { fromExtendedJson } from "./formats/mongodb.ts";

/** The owner of the sessions: `user`, or the user that the field `userField` of each record names, or else the token's own user. */
export interface UserChoice {
  user?: string | undefined;
  userField?: string | undefined;
}

/** Names that fit into the header `X-User-Id`: printable ASCII. `%` is excluded, because the server would read it as an escape. */
const USER = /^(?! )[\x20-\x24\x26-\x7e]{1,255}(?<! )$/;

/** Returns the rule that a user's name breaks; `undefined` when it is valid. */
export function checkUser(name: string): string | undefined {
  return USER.test(name) ? undefined : "must be 1 to 255 ASCII characters, without % and without spaces at the ends";
}

/** @throws BadRecord when the record must name a user and does not, or when the name is invalid. */
export function chooseUser(record: unknown, { user, userField }: UserChoice): string | undefined {
  if (userField === undefined) return user;
  const name = fromExtendedJson((record as Record<string, unknown> | null)?.[userField]);
  if (typeof name !== "string" && typeof name !== "number")
    throw new BadRecord(`${userField}: missing; it must name the user`);
  const problem = checkUser(String(name));
  if (problem) throw new BadRecord(`${userField}: ${problem}`);
  return String(name);
}
