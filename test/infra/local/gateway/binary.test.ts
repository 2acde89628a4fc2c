import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

const BYTES = new Uint8Array([137, 80, 0, 255]);
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    functions: {
      mirror: `export const handler = async ({ body, isBase64Encoded }) => ({
        statusCode: 200,
        headers: { "x-encoded": isBase64Encoded },
        body,
      });`,
      image: `export const handler = async () => ({ statusCode: 200, isBase64Encoded: true, body: "iVD/AA==" });`,
    },
    routes: [
      { method: "POST", path: "/", function: "mirror" },
      { method: "GET", path: "/image", function: "image" },
    ],
    resources: {
      Api: { Type: "AWS::ApiGateway::RestApi", Properties: { Name: "x", BinaryMediaTypes: ["image/png"] } },
    },
  });
});
afterAll(() => gateway.stop());

const post = (type: string) => fetch(gateway.url, { method: "POST", body: BYTES, headers: { "content-type": type } });

test("a binary body reaches the function in Base64", async () => {
  const response = await post("Image/PNG; q=1");
  expect(response.headers.get("x-encoded")).toBe("true");
  expect(await response.text()).toBe(Buffer.from(BYTES).toString("base64"));
});

test("other bodies are text", async () => {
  expect((await post("application/json")).headers.get("x-encoded")).toBe("false");
});

test("a function that answers in Base64 gets 502, because the local gateway does not decode it", async () => {
  expect((await fetch(`${gateway.url}/image`)).status).toBe(502);
});
