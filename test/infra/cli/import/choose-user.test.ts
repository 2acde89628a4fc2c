import { expect, test } from "vitest";
import { checkUser, chooseUser } from "../../../../infra/cli/import/choose-user.ts";

test.each(["alice", "alice@example.org", "auth0|5f7c8ec7c33c6c004bbafe82", "a b", "x".repeat(255)])(
  "%s is a valid user name",
  (name) => {
    expect(checkUser(name)).toBeUndefined();
  },
);

test.each(["", " a", "a ", "a%20b", "a\nb", "ä", "x".repeat(256)])("%j is not a valid user name", (name) => {
  expect(checkUser(name)).toMatch(/^must be/);
});

test("the user of a record may be a number, but must not be missing or invalid", () => {
  expect(chooseUser({ user_id: 42 }, { userField: "user_id" })).toBe("42");
  expect(chooseUser({ user_id: { $oid: "66326f3f04bed94b7f5be68d" } }, { userField: "user_id" })).toBe(
    "66326f3f04bed94b7f5be68d",
  );
  expect(() => chooseUser({}, { userField: "user_id" })).toThrow("user_id: missing");
  expect(() => chooseUser(null, { userField: "user_id" })).toThrow("user_id: missing");
  expect(() => chooseUser({ user_id: "é" }, { userField: "user_id" })).toThrow("user_id: must be");
  expect(chooseUser({ user_id: 42 }, {})).toBeUndefined();
});
