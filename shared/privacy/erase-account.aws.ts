import {
  AdminDeleteUserCommand,
  AdminGetUserCommand,
  CognitoIdentityProviderClient,
  UserNotFoundException,
} from "@aws-sdk/client-cognito-identity-provider";
import { AppError } from "../errors.ts";
import type { Eraser } from "./erasure.ts";

/** The form of every `sub` of Cognito. Backends that act for their users use other ids, which have no account. */
const SUB = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Erases the account of a user in the deployment's own user pool. It does this only in the final stage, because the person needs the account
 * to follow the erasure. Cognito also finds accounts by other names, so the account must have the user's id as its `sub`.
 */
export function createAccountEraser(
  UserPoolId: string,
  cognito: Pick<CognitoIdentityProviderClient, "send"> = new CognitoIdentityProviderClient(),
): (user: string) => Eraser {
  /** Returns the pool's name of the user; undefined when there is no account. */
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

/** Returns undefined when the account does not exist, as after an earlier attempt. Throws `unavailable` for every other error. */
async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (cause) {
    if (cause instanceof UserNotFoundException) return undefined;
    throw new AppError("unavailable", "the user pool refused a call", { cause, retryAfter: 1 });
  }
}
