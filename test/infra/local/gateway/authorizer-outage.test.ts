import { afterAll, beforeAll, expect, test } from "vitest";
import { resourcesOf, synthesize } from "../../synthesize.ts";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

let gateway: RunningGateway;

/** The project's gateway responses, and an authorizer that fails as in an outage of the issuer. */
beforeAll(async () => {
  const { api } = synthesize({ stage: "dev" });
  const [apiId = ""] = Object.keys(resourcesOf(api, "AWS::ApiGateway::RestApi"));
  const responses = Object.entries(resourcesOf(api, "AWS::ApiGateway::GatewayResponse"));
  gateway = await startGateway({
    functions: {
      authorizer: `export const handler = async ({ authorizationToken }) => {
        if (authorizationToken === "Bearer wrong") throw new Error("Unauthorized");
        if (authorizationToken === "Bearer nonsense") return {};
        throw Object.assign(new Error("the issuer does not give its keys"), { name: "AppError" });
      };`,
      echo: `export const handler = async () => ({ statusCode: 200 });`,
    },
    routes: [{ method: "GET", path: "/v1/sessions", function: "echo", authorizer: true }],
    authorizer: {},
    resources: Object.fromEntries(
      // The API of the fixture has another logical id.
      responses.map(([id, response]) => [id, JSON.parse(JSON.stringify(response).replaceAll(apiId, "Api"))]),
    ),
  });
});
afterAll(() => gateway.stop());

const call = (token: string) => fetch(`${gateway.url}/v1/sessions`, { headers: { authorization: `Bearer ${token}` } });

test.each(["right", "nonsense"])(
  "an authorizer that cannot tell is a 503 that says when to come back: %s",
  async (token) => {
    const response = await call(token);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({
      code: "unavailable",
      status: 503,
      request_id: response.headers.get("x-request-id"),
    });
  },
);

test("an invalid token causes 401, and its answer names the metadata of the API's address", async () => {
  const response = await call("wrong");
  expect([response.status, response.headers.get("www-authenticate")]).toEqual([
    401,
    `Bearer resource_metadata="${gateway.url}/.well-known/oauth-protected-resource"`,
  ]);
});
