import { expect, test } from "vitest";
import { startGateway } from "../fixture-gateway.ts";

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
  await expect.poll(asked).toBe("2");
  await short.stop();
});
