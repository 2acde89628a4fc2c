import {
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  CognitoIdentityProviderClient,
  UserNotFoundException,
} from "@aws-sdk/client-cognito-identity-provider";
import { AppError } from "../errors.ts";
import type { Eraser } from "./erasure.ts";

/** The form of every `sub` of Cognito. Other ids are those of backends that act for their users, and have no account. */
const SUB = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Erases the account of a user in the deployment's own user pool, after everything else: the person needs it to follow the erasure. Cognito
 * also finds accounts by other names, so an account counts only when its `sub` is the user.
 */
export function createAccountEraser(
  UserPoolId: string,
  cognito: Pick<CognitoIdentityProviderClient, "send"> = new CognitoIdentityProviderClient(),
): (user: string) => Eraser {
  /** The pool's name of the user; undefined = there is no account. */
  async function find(user: string): Promise<string | undefined> {
    if (!SUB.test(user)) return undefined;
    const { Username, UserAttributes = [] } =
      (await unlessMissing(cognito.send(new AdminGetUserCommand({ UserPoolId, Username: user })))) ?? {};
    return UserAttributes.some(({ Name, Value }) => Name === "sub" && Value === user) ? Username : undefined;
  }

  return (user) => ({
    search: async (isFinal) => ({ account: isFinal && (await find(user)) !== undefined ? 1 : 0 }),
    async erase(isFinal) {
      const Username = isFinal ? await find(user) : undefined;
      if (Username !== undefined) {
        await unlessMissing(cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username })));
      }
      return true;
    },
  });
}

/** Undefined when the account does not exist, as after an earlier attempt. Throws `unavailable` for every other error. */
async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (cause) {
    if (cause instanceof UserNotFoundException) return undefined;
    throw new AppError("unavailable", "the user pool refused a call", { cause, retryAfter: 1 });
  }
}
