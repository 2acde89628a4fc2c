import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    functions: {
      authorizer: `let asked = 0;
        export const handler = async ({ type, methodArn, headers, queryStringParameters, requestContext, body }) => ({
          principalId: "x",
          policyDocument: { Statement: { Effect: "Allow", Action: "execute-api:Invoke", Resource: methodArn } },
          context: { asked: ++asked, type, key: queryStringParameters?.key, path: requestContext.resourcePath, body: String(body) },
        });`,
      echo: `export const handler = async ({ requestContext }) => ({ statusCode: 200, body: JSON.stringify(requestContext.authorizer) });`,
    },
    routes: [
      { method: "GET", path: "/a", function: "echo", authorizer: true },
      {
        method: "GET",
        path: "/checked",
        function: "echo",
        properties: {
          RequestValidatorId: { Ref: "Validator" },
          RequestParameters: { "method.request.querystring.days": true, "method.request.header.X-Optional": false },
        },
      },
    ],
    authorizer: {
      Type: "REQUEST",
      IdentitySource: "method.request.header.X-Tenant,method.request.querystring.key",
      AuthorizerResultTtlInSeconds: 60,
    },
    resources: {
      Validator: {
        Type: "AWS::ApiGateway::RequestValidator",
        Properties: { RestApiId: { Ref: "Api" }, ValidateRequestParameters: true },
      },
    },
  });
});
afterAll(() => gateway.stop());

const call = (path: string, tenant = "t") => fetch(gateway.url + path, { headers: { "x-tenant": tenant } });

test("a REQUEST authorizer gets the request without its body, and is invoked once per identity", async () => {
  const first = (await (await call("/a?key=1")).json()) as { asked: string };
  expect(first).toMatchObject({ type: "REQUEST", key: "1", path: "/a", body: "undefined", principalId: "x" });
  expect(await (await call("/a?key=1")).json()).toEqual(first);
  expect(await (await call("/a?key=1", "other")).json()).not.toMatchObject({ asked: first.asked });
});

test("an authorizer is invoked again when its cached policy has expired", async () => {
  const short = await startGateway({
    functions: {
      echo: "export const handler = async ({ requestContext }) => ({ statusCode: 200, body: requestContext.authorizer.asked });",
      authorizer: `let asked = 0; export const handler = async ({ methodArn }) => ({ principalId: "x", context: { asked: ++asked },
        policyDocument: { Statement: [{ Effect: "Allow", Action: "execute-api:Invoke", Resource: methodArn }] } });`,
    },
    routes: [{ method: "GET", path: "/", function: "echo", authorizer: true }],
    authorizer: { AuthorizerResultTtlInSeconds: 1 },
  });
  const asked = async () => (await fetch(short.url, { headers: { authorization: "Bearer x" } })).text();
  expect(await asked()).toBe("1");
  await expect.poll(asked, { timeout: 10_000 }).toBe("2");
  await short.stop();
});

test("a request without an identity source is refused without invoking the authorizer", async () => {
  expect((await call("/a")).status).toBe(401);
});

test("a request without a required parameter gets 400", async () => {
  const response = await call("/checked");
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ message: "Missing required request parameters: [days]" });
  expect((await call("/checked?days=1")).status).toBe(200);
});
