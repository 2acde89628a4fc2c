import { describe, expect, test } from "vitest";
import { evaluate } from "../../../../infra/local/iam/evaluate.ts";
import { compilePolicy, type Permission, type Principal } from "../../../../infra/local/iam/statement.ts";

const table = "arn:aws:dynamodb:us-east-1:000000000000:table/sessions";
const role: Principal = {
  kind: "role",
  roleArn: "arn:aws:iam::000000000000:role/reader",
  sessionArn: "arn:aws:sts::000000000000:assumed-role/reader/f",
  account: "000000000000",
};
const put = { action: "dynamodb:PutItem", resource: table };

interface Given {
  identity?: object[];
  resource?: object[];
  permission?: Permission;
  principal?: Principal;
  keys?: Record<string, string[]>;
}

function decide({ identity = [], resource = [], permission = put, principal = role, keys = {} }: Given): string {
  const compile = (statements: object[]) => compilePolicy({ Statement: statements }, "policy");
  const policies = { identity: compile(identity), resource: compile(resource) };
  const decision = evaluate(permission, principal, policies, (key) => keys[key]);
  return decision.allowed ? "allowed" : decision.reason;
}

const allow = (more: object = {}) => ({ Effect: "Allow", Action: "dynamodb:PutItem", Resource: table, ...more });
const deny = (more: object = {}) => ({ ...allow(more), Effect: "Deny" });

describe("a permission", () => {
  test.each<[string, object[], string]>([
    ["that no statement names is refused", [], "no-identity-policy"],
    ["that a statement names is allowed", [allow()], "allowed"],
    ["is refused when an explicit deny stands beside an allow", [allow(), deny()], "identity-deny"],
    ["is allowed by a wildcard in the action", [allow({ Action: "dynamodb:Put*" })], "allowed"],
    ["is allowed by an action in another case", [allow({ Action: "DynamoDB:putitem" })], "allowed"],
    ["is allowed by one of several actions", [allow({ Action: ["dynamodb:GetItem", "dynamodb:*"] })], "allowed"],
    ["is refused for another action", [allow({ Action: "dynamodb:GetItem" })], "no-identity-policy"],
    ["is allowed by a wildcard in the resource", [allow({ Resource: "arn:aws:dynamodb:*:*:table/sess*" })], "allowed"],
    ["is allowed by ? for one character", [allow({ Resource: `${table.slice(0, -1)}?` })], "allowed"],
    ["is refused on a resource in another case", [allow({ Resource: table.toUpperCase() })], "no-identity-policy"],
    ["is refused on an index alone", [allow({ Resource: `${table}/index/*` })], "no-identity-policy"],
    ["is allowed by NotAction that names others", [allow({ Action: undefined, NotAction: "s3:*" })], "allowed"],
    ["is refused by NotAction", [allow({ Action: undefined, NotAction: "dynamodb:*" })], "no-identity-policy"],
    ["is allowed by NotResource that names others", [allow({ Resource: undefined, NotResource: "x" })], "allowed"],
    ["is refused by NotResource", [allow({ Resource: undefined, NotResource: table })], "no-identity-policy"],
    ["escapes what means something in expressions", [allow({ Resource: `${table}|.+` })], "no-identity-policy"],
  ])("%s", (_name, identity, expected) => {
    const given = identity.map((statement) => JSON.parse(JSON.stringify(statement)));
    expect(decide({ identity: given })).toBe(expected);
  });

  test.each<[string, object, string]>([
    ["is allowed to the role that it names", allow({ Principal: { AWS: role.roleArn } }), "allowed"],
    ["is allowed to everybody", allow({ Principal: "*" }), "allowed"],
    [
      "leaves the decision to the identity when it names the account",
      allow({ Principal: { AWS: "000000000000" } }),
      "no-identity-policy",
    ],
    ["is refused to another role", allow({ Principal: { AWS: `${role.roleArn}2` } }), "no-identity-policy"],
    [
      "is refused to a role when a service is named",
      allow({ Principal: { Service: "events.amazonaws.com" } }),
      "no-identity-policy",
    ],
  ])("of a resource's policy %s", (_name, statement, expected) => {
    expect(decide({ resource: [statement] })).toBe(expected);
  });

  test("is refused by a resource's policy that denies the account what the identity allows", () => {
    const resource = [deny({ Principal: { AWS: "arn:aws:iam::000000000000:root" } })];
    expect(decide({ identity: [allow()], resource })).toBe("resource-deny");
  });

  test("of a service needs a policy of the resource", () => {
    const principal: Principal = { kind: "service", service: "events.amazonaws.com" };
    const resource = [allow({ Principal: { Service: "events.amazonaws.com" } })];
    expect(decide({ principal, identity: [allow()] })).toBe("allowed");
    expect(decide({ principal })).toBe("no-resource-policy");
    expect(decide({ principal, resource })).toBe("allowed");
  });

  test("counts the use of the grants that allow it, and of no other", () => {
    const statement = allow({ Action: ["dynamodb:PutItem", "dynamodb:GetItem"], Resource: [table, "other"] });
    const [compiled] = compilePolicy({ Statement: [statement] }, "policy");
    evaluate(put, role, { identity: compiled ? [compiled] : [], resource: [] }, () => undefined);
    expect(compiled?.grants.filter(({ used }) => used > 0)).toEqual([
      { action: "dynamodb:PutItem", resource: table, used: 1 },
    ]);
  });
});

describe("a condition", () => {
  const given = { "s3:prefix": ["archive/a"], "aws:securetransport": ["true"], "s3:max-keys": ["10"] };
  const leading = { "dynamodb:leadingkeys": ["u1", "u2"] };
  test.each<[object, Record<string, string[]>, boolean]>([
    [{ StringEquals: { "s3:prefix": ["x", "archive/a"] } }, given, true],
    [{ StringEquals: { "s3:prefix": "archive/*" } }, given, false],
    [{ StringEquals: { "S3:Prefix": "archive/a" } }, given, true],
    [{ StringEquals: { "s3:prefix": "archive/a" } }, {}, false],
    [{ StringEqualsIfExists: { "s3:prefix": "archive/a" } }, {}, true],
    [{ StringEqualsIfExists: { "s3:prefix": "archive/b" } }, given, false],
    [{ StringNotEquals: { "s3:prefix": ["x", "archive/a"] } }, given, false],
    [{ StringNotEquals: { "s3:prefix": "x" } }, {}, true],
    [{ StringEqualsIgnoreCase: { "s3:prefix": "ARCHIVE/A" } }, given, true],
    [{ StringNotEqualsIgnoreCase: { "s3:prefix": "ARCHIVE/A" } }, given, false],
    [{ StringLike: { "s3:prefix": "archive/?" } }, given, true],
    [{ StringNotLike: { "s3:prefix": "archive/*" } }, given, false],
    [{ Bool: { "aws:SecureTransport": "true" } }, given, true],
    [{ Bool: { "aws:SecureTransport": false } }, given, false],
    [{ Null: { "s3:prefix": "true" } }, {}, true],
    [{ Null: { "s3:prefix": "false" } }, {}, false],
    [{ NumericLessThanEquals: { "s3:max-keys": 10 } }, given, true],
    [{ NumericGreaterThan: { "s3:max-keys": "10" } }, given, false],
    [
      { ArnLike: { "aws:SourceArn": "arn:aws:events:*:*:rule/a*" } },
      { "aws:sourcearn": ["arn:aws:events:x:1:rule/ab"] },
      true,
    ],
    [{ ArnEquals: { "aws:SourceArn": "arn:*:rule/ab" } }, { "aws:sourcearn": ["arn:aws:events:x:1:rule/ab"] }, false],
    [{ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["u1", "u2", "u3"] } }, leading, true],
    [{ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["u1"] } }, leading, false],
    [{ "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["u1"] } }, {}, true],
    [{ "ForAnyValue:StringEquals": { "dynamodb:LeadingKeys": ["u1"] } }, leading, true],
    [{ "ForAnyValue:StringEquals": { "dynamodb:LeadingKeys": ["u1"] } }, {}, false],
    [{ StringLike: { "s3:prefix": "archive/*" }, Bool: { "aws:SecureTransport": "false" } }, given, false],
  ])("%j with the keys %j: %s", (Condition, keys, expected) => {
    expect(decide({ identity: [allow({ Condition })], keys })).toBe(expected ? "allowed" : "no-identity-policy");
  });

  test.each<[object, string]>([
    [{ IpAddress: { "s3:prefix": "10.0.0.0/8" } }, "the condition operator IpAddress"],
    [{ StringEquals: { "aws:username": "ann" } }, "the condition key aws:username"],
    [{ StringEquals: { "dynamodb:LeadingKeys": "u1" } }, "StringEquals without ForAllValues: or ForAnyValue:"],
    [{ StringLike: { "s3:prefix": `\${aws:username}/*` } }, `the policy variable \${aws:username}`],
  ])("%j is an error that names what is not understood", (Condition, message) => {
    expect(() => decide({ identity: [allow({ Condition })] })).toThrow(
      `policy, statement 1: the local host does not understand ${message}`,
    );
  });

  test.each<[object, string]>([
    [{ NotPrincipal: "*" }, "the element NotPrincipal"],
    [{ Principal: { Federated: "x" } }, "the principal Federated"],
    [{ Effect: "Maybe" }, "the effect Maybe"],
    [{ Resource: `arn:aws:s3:::b/\${aws:userid}` }, `the policy variable \${aws:userid}`],
  ])("a statement with %j is an error that names what is not understood", (more, message) => {
    expect(() => decide({ resource: [allow(more)] })).toThrow(message);
  });
});
