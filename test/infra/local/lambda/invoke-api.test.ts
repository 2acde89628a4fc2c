import { InvokeCommand, LambdaClient, ResourceNotFoundException } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAsynchronousInvoker } from "../../../../infra/local/lambda/asynchronous.ts";
import { startInvokeApi } from "../../../../infra/local/lambda/invoke-api.ts";
import type { LambdaFunction } from "../../../../infra/local/lambda/lambda-function.ts";
import type { Listening } from "../../../../infra/local/listen.ts";

const events: string[] = [];
const failures: object[] = [];
const arn = "arn:aws:lambda:us-east-1:000000000000:function:probe";
const probe: LambdaFunction = {
  name: "probe",
  label: "probe",
  arn,
  async invoke(event) {
    events.push(event);
    if (event.includes("fail")) {
      const error = { errorType: "Error", errorMessage: "failed" };
      return { requestId: "r", payload: JSON.stringify(error), error };
    }
    return { requestId: "r", payload: `{"got":${event}}` };
  },
  stop: async () => {},
};
const asynchronous = createAsynchronousInvoker(
  () => ({ retries: 0, onFailure: async (record) => void failures.push(record) }),
  () => {},
);
let api: Listening;
let client: LambdaClient;

beforeAll(async () => {
  api = await startInvokeApi((name) => (name === "probe" ? probe : undefined), asynchronous);
  client = new LambdaClient({
    endpoint: api.url,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client.destroy();
  await asynchronous.stop();
  await api.close();
});

const invoke = (FunctionName: string, payload?: string, InvocationType?: "Event") =>
  client.send(
    new InvokeCommand({
      FunctionName,
      ...(payload !== undefined && { Payload: payload }),
      ...(InvocationType && { InvocationType }),
    }),
  );

test.each(["probe", "probe:$LATEST", arn, `${arn}:$LATEST`, "000000000000:function:probe"])(
  "the SDK invokes a function named %s",
  async (name) => {
    const { StatusCode, Payload, FunctionError } = await invoke(name, '{"a":"ü"}');
    expect([StatusCode, FunctionError, Payload?.transformToString()]).toEqual([200, undefined, '{"got":{"a":"ü"}}']);
  },
);

test("an invocation without a payload has an empty object as its event", async () => {
  expect((await invoke("probe")).Payload?.transformToString()).toBe('{"got":{}}');
});

test("an invocation that fails returns FunctionError, with the error as the payload", async () => {
  const { StatusCode, FunctionError, Payload } = await invoke("probe", '"fail"');
  expect([StatusCode, FunctionError]).toEqual([200, "Unhandled"]);
  expect(JSON.parse(Payload?.transformToString() ?? "")).toEqual({ errorType: "Error", errorMessage: "failed" });
});

test("an Event is accepted at once, and goes to the destination after its last failed attempt", async () => {
  expect((await invoke("probe", '{"fail":1}', "Event")).StatusCode).toBe(202);
  await expect
    .poll(() => failures)
    .toMatchObject([
      {
        requestContext: { condition: "RetriesExhausted", approximateInvokeCount: 1, functionArn: `${arn}:$LATEST` },
        requestPayload: { fail: 1 },
        responsePayload: { errorMessage: "failed" },
      },
    ]);
});

test("an unknown function, invalid JSON and a too large event are errors of the client", async () => {
  await expect(invoke("nobody")).rejects.toBeInstanceOf(ResourceNotFoundException);
  await expect(invoke("probe", "{")).rejects.toMatchObject({ name: "InvalidRequestContentException" });
  await expect(invoke("probe", JSON.stringify("x".repeat(6_300_000)))).rejects.toMatchObject({
    name: "RequestTooLargeException",
  });
});

const signature =
  "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";

test.each([
  ["a POST that any page may send", {}],
  ["a page's request with a signature", { authorization: signature, origin: "https://evil.example" }],
  ["a page's request from a sandbox", { authorization: signature, origin: "null" }],
  ["another scheme than AWS's", { authorization: "Bearer token" }],
])("%s is refused before the function runs", async (_, headers) => {
  const before = events.length;
  const url = `${api.url}/2015-03-31/functions/probe/invocations`;
  const body = '{"requestContext":{"authorizer":{"principalId":"victim"}}}';
  const response = await fetch(url, { method: "POST", headers: { "content-type": "text/plain", ...headers }, body });
  expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([
    403,
    "MissingAuthenticationTokenException",
  ]);
  expect(events.length).toBe(before);
});

test("a browser's preflight does not get the headers it needs", async () => {
  const response = await fetch(`${api.url}/2015-03-31/functions/probe/invocations`, {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-headers": "authorization" },
  });
  expect(response.status).toBe(403);
  expect(response.headers.get("access-control-allow-origin")).toBeNull();
});
