import {
  AdminDeleteUserCommand,
  type AdminGetUserCommand,
  type CognitoIdentityProviderClient,
  UserNotFoundException,
} from "@aws-sdk/client-cognito-identity-provider";
import { expect, it } from "vitest";
import { createAccountEraser } from "../../../shared/privacy/erase-account.aws.ts";

const ANN = "0192f3c1-7a3b-4c1d-8e2f-000000000001";
const BOB = "0192f3c1-7a3b-4c1d-8e2f-000000000002";
const never = () => false;

/** A user pool with accounts by their names, and their `sub`. */
function createPool(accounts: Record<string, string>) {
  const pool = new Map(Object.entries(accounts));
  const calls: string[] = [];
  let fault: { after: string } | undefined;
  const send = async (command: AdminGetUserCommand | AdminDeleteUserCommand) => {
    const { Username = "", UserPoolId } = command.input;
    expect(UserPoolId).toBe("pool");
    calls.push(`${command.constructor.name.replace("Command", "")} ${Username}`);
    const sub = pool.get(Username);
    if (!sub) throw new UserNotFoundException({ message: "User does not exist.", $metadata: {} });
    if (command instanceof AdminDeleteUserCommand) {
      pool.delete(Username);
      if (fault) throw new Error(fault.after);
    }
    return { Username, UserAttributes: [{ Name: "sub", Value: sub }] };
  };
  return {
    pool,
    calls,
    fail: (after?: string) => {
      fault = after === undefined ? undefined : { after };
    },
    eraserOf: createAccountEraser("pool", { send } as unknown as Pick<CognitoIdentityProviderClient, "send">),
  };
}

it("an erasure deletes the user's account in its final stage, and not before", async () => {
  const { pool, eraserOf } = createPool({ [ANN]: ANN, [BOB]: BOB });
  const eraser = eraserOf(ANN);
  expect(await eraser.search(false)).toEqual({ account: 0 });
  expect(await eraser.erase(false, never)).toBe(true);
  expect(pool.has(ANN)).toBe(true);
  expect(await eraser.search(true)).toEqual({ account: 1 });
  expect(await eraser.erase(true, never)).toBe(true);
  expect(await eraser.search(true)).toEqual({ account: 0 });
  expect([...pool.keys()]).toEqual([BOB]);
});

it("a repeated deletion of an account changes nothing, also when the first answer was lost", async () => {
  const { pool, fail, eraserOf } = createPool({ [ANN]: ANN });
  fail("the connection was cut");
  await expect(eraserOf(ANN).erase(true, never)).rejects.toMatchObject({ code: "unavailable" });
  fail();
  for (let runs = 0; runs < 2; runs++) expect(await eraserOf(ANN).erase(true, never)).toBe(true);
  expect([await eraserOf(ANN).search(true), pool.size]).toEqual([{ account: 0 }, 0]);
});

it("an erasure does not delete an account that Cognito finds by another name than its sub", async () => {
  const { pool, eraserOf } = createPool({ [ANN]: BOB });
  expect(await eraserOf(ANN).search(true)).toEqual({ account: 0 });
  await eraserOf(ANN).erase(true, never);
  expect(pool.size).toBe(1);
});

it("an erasure never looks for the account of an id that is not a sub of Cognito", async () => {
  const { pool, calls, eraserOf } = createPool({ "ann@example.com": ANN });
  expect(await eraserOf("ann@example.com").search(true)).toEqual({ account: 0 });
  await eraserOf("ann@example.com").erase(true, never);
  expect([calls, pool.size]).toEqual([[], 1]);
});

it("an error of the user pool fails the run, so that the next run repeats it", async () => {
  const send = () => Promise.reject(new Error("throttled"));
  const eraser = createAccountEraser("pool", { send } as never)(ANN);
  await expect(eraser.search(true)).rejects.toMatchObject({ code: "unavailable" });
});
