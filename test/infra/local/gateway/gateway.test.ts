import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

const echo = `export const handler = async (event, context) => ({
  statusCode: 200,
  headers: { "X-Plain": "plain", "WWW-Authenticate": "Bearer" },
  body: JSON.stringify({ event, functionName: context.functionName }),
});`;

const authorizer = `let asked = 0;
export const handler = async ({ authorizationToken: token, methodArn }) => {
  asked += 1;
  if (token === "Bearer wrong") throw new Error("Unauthorized");
  if (token === "Bearer broken") throw new Error("no database");
  if (token === "Bearer nonsense") return { principalId: "x" };
  const allow = { Effect: "Allow", Action: "execute-api:Invoke", Resource: methodArn.replace(/test\\/.*$/, "test/*") };
  const deny = { Effect: "Deny", Action: "*", Resource: "*/DELETE/*" };
  return {
    principalId: "alice",
    policyDocument: { Version: "2012-10-17", Statement: [allow, deny] },
    context: { asked, admin: true },
  };
};`;

let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({
    functions: {
      echo,
      authorizer,
      slow: `export const handler = () => new Promise((done) => setTimeout(done, 2000, { statusCode: 200 }));`,
      throws: `export const handler = async () => { throw new Error("no such table", { cause: new Error("gone") }); };`,
      malformed: `export const handler = async () => ({ statusCode: 200, body: { not: "text" } });`,
      empty: `export const handler = async () => ({ statusCode: 204 });`,
      split: `export const handler = async () => ({ statusCode: 200, headers: { "x-said": "a\\r\\nx-evil: b\\0" } });`,
    },
    routes: [
      { method: "GET", path: "/echo", function: "echo" },
      { method: "POST", path: "/echo", function: "echo" },
      { method: "GET", path: "/items/{id}", function: "echo" },
      { method: "GET", path: "/files/{proxy+}", function: "echo" },
      { method: "ANY", path: "/any", function: "echo" },
      { method: "GET", path: "/private", function: "echo", authorizer: true },
      { method: "DELETE", path: "/private", function: "echo", authorizer: true },
      { method: "GET", path: "/slow", function: "slow", timeout: 100 },
      { method: "GET", path: "/throws", function: "throws" },
      { method: "GET", path: "/malformed", function: "malformed" },
      { method: "GET", path: "/empty", function: "empty" },
      { method: "GET", path: "/split", function: "split" },
      { method: "GET", path: "/throttled", function: "echo" },
      { method: "GET", path: "/iam", function: "echo", properties: { AuthorizationType: "AWS_IAM" } },
      {
        method: "OPTIONS",
        path: "/echo",
        properties: {
          Integration: {
            Type: "MOCK",
            RequestTemplates: { "application/json": "{ statusCode: 200 }" },
            IntegrationResponses: [
              {
                StatusCode: "204",
                ResponseParameters: {
                  "method.response.header.Access-Control-Allow-Origin": "'https://a.example'",
                  "method.response.header.Vary": "'Origin'",
                },
                ResponseTemplates: {
                  "application/json":
                    '#set($origin = $input.params().header.get("Origin"))\n#if($origin == "")\n  #set($origin = $input.params().header.get("origin"))\n#end\n#if($origin == "https://b.example")\n  #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n#end',
                },
              },
            ],
          },
        },
      },
    ],
    authorizer: { AuthorizerResultTtlInSeconds: 60, IdentityValidationExpression: "Bearer .+" },
    resources: {
      NoRoute: {
        Type: "AWS::ApiGateway::GatewayResponse",
        Properties: {
          ResponseType: "MISSING_AUTHENTICATION_TOKEN",
          StatusCode: "404",
          ResponseParameters: {
            "gatewayresponse.header.x-request-id": "context.requestId",
            "gatewayresponse.header.access-control-allow-origin": "method.request.header.Origin",
            "gatewayresponse.header.cache-control": "'no-store'",
          },
          ResponseTemplates: {
            "application/problem+json":
              '{"title":"Not Found","detail":$context.error.messageString,"request_id":"$context.requestId"}',
          },
        },
      },
      Failed: {
        Type: "AWS::ApiGateway::GatewayResponse",
        Properties: { ResponseType: "DEFAULT_5XX", StatusCode: "500" },
      },
      Stage: {
        Type: "AWS::ApiGateway::Stage",
        Properties: {
          RestApiId: { Ref: "Api" },
          StageName: "test",
          MethodSettings: [
            { HttpMethod: "*", ResourcePath: "/*", ThrottlingRateLimit: 10_000, ThrottlingBurstLimit: 5000 },
            { HttpMethod: "GET", ResourcePath: "/~1throttled", ThrottlingRateLimit: 0.001, ThrottlingBurstLimit: 2 },
          ],
        },
      },
    },
  });
});

afterAll(() => gateway.stop());

const get = (path: string, init?: RequestInit) => fetch(gateway.url + path, init);
const eventOf = async (response: Response) => ((await response.json()) as { event: Record<string, unknown> }).event;

describe("the event of a proxy integration", () => {
  test("has headers, query and body, with single and multiple values", async () => {
    const response = await get("/echo?a=1&a=2&b=%C3%BC+x", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Mine": "yes", "X-Forwarded-For": "10.0.0.1" },
      body: '{"hello":"wörld"}',
    });
    const event = await eventOf(response);
    expect(event).toMatchObject({
      resource: "/echo",
      path: "/echo",
      httpMethod: "POST",
      queryStringParameters: { a: "2", b: "ü x" },
      multiValueQueryStringParameters: { a: ["1", "2"], b: ["ü x"] },
      pathParameters: null,
      body: '{"hello":"wörld"}',
      isBase64Encoded: false,
      requestContext: {
        accountId: "000000000000",
        stage: "test",
        path: "/echo",
        resourcePath: "/echo",
        httpMethod: "POST",
        protocol: "HTTP/1.1",
        identity: { sourceIp: "127.0.0.1" },
      },
    });
    expect(event.headers).toMatchObject({ "X-Forwarded-For": "10.0.0.1, 127.0.0.1", "X-Forwarded-Proto": "http" });
    expect(event.headers).not.toHaveProperty("connection");
    expect((event.requestContext as { requestId: string }).requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get("x-amzn-requestid")).toBe((event.requestContext as { requestId: string }).requestId);
  });

  test("has null instead of a missing query or body", async () => {
    expect(await eventOf(await get("/echo"))).toMatchObject({
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      body: null,
    });
  });

  test("has path parameters percent-encoded, as the client sent them, like API Gateway's REST APIs", async () => {
    const event = await eventOf(await get("/items/a%2Fb%20c%ff%"));
    expect(event).toMatchObject({ path: "/items/a%2Fb%20c%ff%", pathParameters: { id: "a%2Fb%20c%ff%" } });
    expect(await eventOf(await get("/files/x/y.txt"))).toMatchObject({ pathParameters: { proxy: "x/y.txt" } });
  });

  test("has replacement characters for bytes that are not UTF-8", async () => {
    const event = await eventOf(await get("/echo", { method: "POST", body: new Uint8Array([0x61, 0xff, 0x62]) }));
    expect(event.body).toBe("a\ufffdb");
  });
});

describe("routing", () => {
  test("answers a request without a route with the template's gateway response", async () => {
    const response = await get("/nowhere", { headers: { origin: "https://a.example" } });
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const body = (await response.json()) as { detail: string; request_id: string };
    expect(body.detail).toBe("Missing Authentication Token");
    expect(body.request_id).toBe(response.headers.get("x-request-id"));
  });

  test("refuses an HTTP method that the path does not have", async () => {
    expect((await get("/items/1", { method: "POST" })).status).toBe(404);
  });

  test("accepts any HTTP method on a route with ANY", async () => {
    expect(await eventOf(await get("/any", { method: "PUT" }))).toMatchObject({ httpMethod: "PUT" });
  });

  test("refuses every request of a method with unsupported authorization, with a warning", async () => {
    expect((await get("/iam")).status).toBe(403);
    expect(gateway.warnings.join()).toContain("does not support the authorization AWS_IAM");
  });
});

describe("responses of functions", () => {
  test("keep single and multiple headers, and rename those that API Gateway renames", async () => {
    const response = await get("/echo");
    expect(response.headers.get("x-plain")).toBe("plain");
    expect(response.headers.get("www-authenticate")).toBeNull();
    expect(response.headers.get("x-amzn-remapped-www-authenticate")).toBe("Bearer");
    expect(response.headers.get("content-type")).toBe("application/json");
  });

  test("may have no body", async () => {
    const response = await get("/empty");
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
  });

  test("that are malformed or errors become the template's 5xx, and the log has the cause", async () => {
    for (const [path, cause] of [
      ["/malformed", "malformed Lambda proxy response"],
      ["/throws", "no such table"],
    ] as const) {
      const response = await get(path);
      expect(response.status).toBe(500);
      expect(await response.json()).toEqual({ message: "Internal server error" });
      await expect.poll(() => gateway.requests.find((entry) => entry.path === path)?.cause).toContain(cause);
    }
    expect(gateway.requests.find(({ path }) => path === "/throws")?.cause).toContain("[cause]: Error: gone");
  });

  test("that are too late become the gateway's 504", async () => {
    const response = await get("/slow");
    expect(await response.json()).toEqual({ message: "Endpoint request timed out" });
  });
});

describe("a TOKEN authorizer", () => {
  const call = (token: string | undefined, method = "GET") =>
    get("/private", { method, headers: token === undefined ? {} : { authorization: token } });

  test("is not invoked without a token, or with one that does not match the validation expression", async () => {
    expect((await call(undefined)).status).toBe(401);
    expect((await call("Basic eDp5")).status).toBe(401);
    expect(await (await call(undefined)).json()).toEqual({ message: "Unauthorized" });
  });

  test("answers 401 when it throws Unauthorized, 500 when it fails or gives no policy", async () => {
    expect((await call("Bearer wrong")).status).toBe(401);
    expect((await call("Bearer broken")).status).toBe(500);
    expect((await call("Bearer nonsense")).status).toBe(500);
  });

  test("passes its context on as text, and is invoked once per token", async () => {
    const answers = await Promise.all(["good", "good", "other"].map((token) => call(`Bearer ${token}`).then(eventOf)));
    const contexts = answers.map(({ requestContext }) => (requestContext as { authorizer: object }).authorizer);
    expect(contexts[0]).toMatchObject({ principalId: "alice", admin: "true" });
    expect(contexts[1]).toEqual(contexts[0]);
    expect(contexts[2]).not.toEqual(contexts[0]);
  });

  test("decides per method by its policy, also by a cached one", async () => {
    expect((await call("Bearer good")).status).toBe(200);
    const denied = await call("Bearer good", "DELETE");
    expect(denied.status).toBe(403);
    expect(((await denied.json()) as { message: string }).message).toContain("explicit deny");
  });
});

test("a header value with line breaks stays one value", async () => {
  const response = await get("/split");
  expect([response.status, response.headers.get("x-said")]).toEqual([200, "a  x-evil: b "]);
  expect(response.headers.get("x-evil")).toBeNull();
});

describe("CORS preflight by a mock", () => {
  test("allows the first origin by default, and another allowed origin if the request has it", async () => {
    const preflight = (origin: string) => get("/echo", { method: "OPTIONS", headers: { origin } });
    const first = await preflight("https://elsewhere.example");
    expect(first.status).toBe(204);
    expect(first.headers.get("access-control-allow-origin")).toBe("https://a.example");
    const second = await preflight("https://b.example");
    expect(second.headers.get("access-control-allow-origin")).toBe("https://b.example");
    expect(gateway.warnings.filter((text) => text.includes("mapping template"))).toEqual([]);
  });
});

describe("limits", () => {
  test("throttle a method by the stage's settings", async () => {
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await get("/throttled")).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test("refuse an event over Lambda's 6 MB", async () => {
    const response = await get("/echo", { method: "POST", body: "x".repeat(6_300_000) });
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({ message: "Request Too Long" });
  });

  test("refuse a body over 10 MB before the client sends it", async () => {
    const answer = await raw(`POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: ${11 * 1024 * 1024}\r\n\r\nabc`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 .*connection: close/s);
  });

  test("refuse a body of unknown length as soon as it exceeds 10 MB", async () => {
    const chunk = `100000\r\n${"x".repeat(0x100000)}\r\n`;
    const head = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(await raw(head + chunk.repeat(12))).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("keep the server running after malformed requests", async () => {
    expect(await raw("NONSENSE\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(`GET /echo HTTP/1.1\r\nx: ${"x".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect((await get("/echo")).status).toBe(200);
  });
});

/** Sends bytes unchanged, and resolves with the response when the server closes the connection. */
function raw(request: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(gateway.port, "127.0.0.1", () => socket.write(request));
    socket.on("data", (data) => {
      answer += String(data);
      if (answer.includes("\r\n\r\n")) socket.end();
    });
    socket.on("error", () => resolve(answer));
    socket.on("close", () => resolve(answer));
  });
}
