import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

const mock = (path: string, properties: object) => ({
  method: "OPTIONS",
  path,
  properties: {
    Integration: {
      Type: "MOCK",
      RequestTemplates: { "application/json": "{ statusCode: 200 }" },
      IntegrationResponses: [{ StatusCode: "204" }],
      ...properties,
    },
  },
});
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    functions: {},
    routes: [mock("/plain", {}), mock("/converted", { ContentHandling: "CONVERT_TO_TEXT" })],
    resources: {
      Api: { Type: "AWS::ApiGateway::RestApi", Properties: { Name: "x", BinaryMediaTypes: ["application/json"] } },
    },
  });
});
afterAll(() => gateway.stop());

const preflight = async (path: string, headers: Record<string, string> = {}) =>
  (await fetch(gateway.url + path, { method: "OPTIONS", headers: { origin: "https://a.example", ...headers } })).status;

test("a mock answers a preflight with 500 when JSON is a binary media type of the API, as on AWS", async () => {
  expect(await preflight("/plain")).toBe(500);
  expect(await preflight("/plain", { "content-type": "text/plain" })).toBe(204);
});

test("a mock that converts bodies to text answers such a preflight", async () => {
  expect(await preflight("/converted")).toBe(204);
  expect(await preflight("/converted", { "content-type": "application/json" })).toBe(204);
});
