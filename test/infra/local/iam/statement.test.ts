import { expect, test } from "vitest";
import { compilePolicy } from "../../../../infra/local/iam/statement.ts";

const METHOD = "arn:aws:execute-api:us-east-1:000000000000:api/dev/GET/v1/sessions/a.b";
const allow = (Resource: string | string[], Action: string | string[] = "execute-api:Invoke") => ({
  Effect: "Allow",
  Action,
  Resource,
});

test.each([
  [allow(METHOD), true],
  [allow("*"), true],
  [allow("arn:aws:execute-api:us-east-1:000000000000:api/dev/*"), true],
  [allow(["x", "arn:aws:execute-api:*:*:api/*/GET/v1/sess?ons/*"]), true],
  [allow("arn:aws:execute-api:us-east-1:000000000000:api/dev/POST/*"), false],
  [allow(METHOD.replace(".", "x")), false],
  [allow("*", "execute-api:*"), true],
  [allow("*", ["s3:GetObject", "EXECUTE-API:invoke"]), true],
  [allow("*", "s3:GetObject"), false],
])("whether %j applies to the call of a method: %s", (Statement, expected) => {
  const [statement] = compilePolicy({ Statement }, "policy");
  const match = statement?.match({ action: "execute-api:Invoke", resource: METHOD }, () => undefined);
  expect(match !== undefined).toBe(expected);
});

test.each([
  ["the element NotAction", { Effect: "Allow", NotAction: "s3:*", Resource: "*" }],
  ["the effect Maybe", { Effect: "Maybe", Action: "s3:*", Resource: "*" }],
  ["the principal Federated", { ...allow("*"), Principal: { Federated: "x" } }],
  [
    "the principal arn:aws:iam::1:root, which is an account",
    { ...allow("*"), Principal: { AWS: "arn:aws:iam::1:root" } },
  ],
])("%s is an error, because it must not be ignored", (feature, Statement) => {
  expect(() => compilePolicy({ Statement }, "policy")).toThrow(
    `policy, statement 1: the local host does not understand ${feature}`,
  );
});

test("an ARN in a condition is compared part by part", () => {
  const Condition = { ArnLike: { "aws:SourceArn": "arn:aws:events:us-east-1:1:rule/*" } };
  const [statement] = compilePolicy({ Statement: { ...allow("*"), Condition } }, "policy");
  const applies = (source: string) =>
    statement?.match({ action: "execute-api:Invoke", resource: METHOD }, () => source) !== undefined;
  expect(applies("arn:aws:events:us-east-1:1:rule/a:b")).toBe(true);
  expect(applies("arn:aws:events:us-east-1:2:rule/a")).toBe(false);
});
