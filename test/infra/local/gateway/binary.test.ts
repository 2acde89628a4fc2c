import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

const BYTES = new Uint8Array([137, 80, 0, 255]);
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    functions: {
      mirror: `export const handler = async ({ body, isBase64Encoded, headers }) => ({
        statusCode: 200,
        headers: { "x-encoded": isBase64Encoded, "content-type": "image/png" },
        body,
        isBase64Encoded,
      });`,
    },
    routes: [{ method: "POST", path: "/", function: "mirror" }],
    resources: {
      Api: { Type: "AWS::ApiGateway::RestApi", Properties: { Name: "x", BinaryMediaTypes: ["image/*"] } },
    },
  });
});
afterAll(() => gateway.stop());

const post = (type: string, accept: string) =>
  fetch(gateway.url, { method: "POST", body: BYTES, headers: { "content-type": type, accept } });

test("a binary body reaches the function in Base64, and a client that accepts the type gets bytes", async () => {
  const response = await post("image/png", "image/webp,*/*");
  expect(response.headers.get("x-encoded")).toBe("true");
  expect(await response.bytes()).toEqual(BYTES);
});

test("a client whose first accepted type is another one gets Base64, as from API Gateway", async () => {
  expect(await (await post("image/png", "text/html,image/png")).text()).toBe(Buffer.from(BYTES).toString("base64"));
});

test("other bodies are text", async () => {
  expect((await post("application/json", "image/png")).headers.get("x-encoded")).toBe("false");
});
