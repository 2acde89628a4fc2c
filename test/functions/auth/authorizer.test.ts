import type { APIGatewayTokenAuthorizerEvent } from "aws-lambda";
import { describe, expect, it, vi } from "vitest";
import { createAuthorizer } from "../../../functions/auth/authorizer.ts";

const ARN = "arn:aws:execute-api:us-east-1:123456789012:abcdef/prod/GET/v1/sessions/one";
const EXP = 1_900_000_000;
const event = (authorizationToken: string): APIGatewayTokenAuthorizerEvent => ({
  type: "TOKEN",
  methodArn: ARN,
  authorizationToken,
});
const authorize = (payload: Record<string, unknown> | null, header = "Bearer abc.def.ghi") =>
  createAuthorizer(async () => payload)(event(header));

describe("the authorizer", () => {
  it("allows a valid token to call every route of this API and stage, and returns its claims", async () => {
    const payload = { sub: "ann", exp: EXP, "cognito:groups": ["admin", "staff"], scope: "openid act-as", plan: "pro" };
    expect(await authorize(payload)).toEqual({
      principalId: "ann",
      policyDocument: {
        Version: "2012-10-17",
        Statement: [
          {
            Action: "execute-api:Invoke",
            Effect: "Allow",
            Resource: "arn:aws:execute-api:us-east-1:123456789012:abcdef/prod/*",
          },
        ],
      },
      context: { sub: "ann", exp: EXP, admin: true, act_as: true, plan: "pro" },
    });
  });

  it.each([
    [{ groups: ["staff", "admin"] }, { admin: true, act_as: false }],
    [{ groups: "admin" }, { admin: true }],
    [{ "cognito:groups": ["staff"], groups: ["admin"] }, { admin: false }],
    [{ scope: "openid memocha/act-as" }, { act_as: true, admin: false }],
    [{ scope: ["openid", "act-as"] }, { act_as: true }],
    [{ "custom:plan": "free" }, { plan: "free" }],
    [{ plan: ["pro"] }, { plan: "" }],
    [{}, { admin: false, act_as: false, plan: "" }],
  ])("reads %j as %j", async (claims, expected) => {
    expect((await authorize({ sub: "ann", exp: EXP, ...claims })).context).toMatchObject(expected);
  });

  it.each<[unknown]>([
    ["x,admin"],
    ["admin,x"],
    ["staff admin"],
    [" admin"],
    ["Admin"],
    ["administrators"],
    [""],
    [["x,admin"]],
    [["admin,"]],
    [["staff admin"]],
    [[["admin"]]],
    [["staff", ["admin"]]],
    [[{ admin: "admin" }]],
    [{ admin: true }],
    [{ 0: "admin", length: 1 }],
    [7],
    [null],
    [true],
  ])("takes no token for an admin's whose groups are %j", async (groups) => {
    for (const claims of [{ groups }, { "cognito:groups": groups }]) {
      expect((await authorize({ sub: "ann", exp: EXP, ...claims })).context).toMatchObject({ admin: false });
    }
  });

  it.each<[unknown]>([
    ["react-as"],
    ["act-as-if"],
    ["openid,act-as"],
    ["openid\tact-as"],
    ["ACT-AS"],
    [["openid act-as"]],
    [["openid", ["act-as"]]],
    [[["act-as"]]],
    [[["memocha/act-as"]]],
    [{ scope: "act-as" }],
    [null],
  ])("lets no token act for others whose scope is %j", async (scope) => {
    expect((await authorize({ sub: "ann", exp: EXP, scope })).context).toMatchObject({ act_as: false });
  });

  it.each([
    [null],
    [{ exp: EXP }],
    [{ sub: "", exp: EXP }],
    [{ sub: 7, exp: EXP }],
    [{ sub: "x".repeat(256), exp: EXP }],
    [{ sub: "ann" }],
    [{ sub: "ann", exp: "soon" }],
  ])("refuses a token of %j with the one text that the gateway answers 401 to", async (payload) => {
    await expect(authorize(payload)).rejects.toThrow(/^Unauthorized$/);
  });

  it.each([
    "",
    "abc.def.ghi",
    "Basic abc",
    "Bearer",
    "Bearer ",
    "Bearer a b",
    "Bearer <script>",
    `Bearer ${"x".repeat(9000)}`,
  ])("refuses the header %j without verifying a token", async (header) => {
    const verify = vi.fn();
    await expect(createAuthorizer(verify)(event(header))).rejects.toThrow(/^Unauthorized$/);
    expect(verify).not.toHaveBeenCalled();
  });

  it("fails, and does not refuse the token, if the issuer cannot be reached", async () => {
    const verify = async () => Promise.reject(new Error("the issuer does not answer"));
    await expect(createAuthorizer(verify)(event("Bearer abc"))).rejects.toThrow("the issuer does not answer");
  });
});
