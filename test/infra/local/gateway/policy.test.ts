import { expect, test } from "vitest";
import { evaluatePolicy, isPolicy } from "../../../../infra/local/gateway/policy.ts";

const METHOD = "arn:aws:execute-api:us-east-1:000000000000:api/dev/GET/v1/sessions/a.b";
const allow = (Resource: string | string[]) => ({ Effect: "Allow", Action: "execute-api:Invoke", Resource });
const deny = (Resource: string) => ({ Effect: "Deny", Action: ["execute-api:*"], Resource });

test.each([
  [[allow(METHOD)], "allow"],
  [[allow("*")], "allow"],
  [[allow("arn:aws:execute-api:us-east-1:000000000000:api/dev/*")], "allow"],
  [[allow(["x", "arn:aws:execute-api:*:*:api/*/GET/v1/sess?ons/*"])], "allow"],
  [[allow("arn:aws:execute-api:us-east-1:000000000000:api/dev/POST/*")], "deny"],
  [[allow(METHOD.replace(".", "x"))], "deny"],
  [[allow("*"), deny("*/GET/v1/*")], "explicit-deny"],
  [[allow("*"), deny("*/DELETE/*")], "allow"],
  [[{ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }], "deny"],
] as const)("%j gives %s", (Statement, verdict) => {
  expect(evaluatePolicy({ Statement: [...Statement] }, METHOD)).toBe(verdict);
});

test("a policy with unsupported elements is not a policy", () => {
  expect(isPolicy({ Statement: [allow("*")] })).toBe(true);
  expect(isPolicy({ Statement: allow("*") })).toBe(true);
  expect(isPolicy({ Statement: [] })).toBe(false);
  expect(isPolicy({ Statement: [{ ...allow("*"), Condition: {} }] })).toBe(false);
  expect(isPolicy(undefined)).toBe(false);
});
