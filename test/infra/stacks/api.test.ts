import type { Template } from "aws-cdk-lib/assertions";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { functions } from "../../../infra/functions.ts";
import { statusOf } from "../../../shared/errors.ts";
import { type Operation, operations } from "../../../shared/http/operations.ts";
import { onlyResource, type Resource, resourcesOf, synthesize } from "../synthesize.ts";

const { api } = synthesize({ stage: "prod" });

describe("each operation", () => {
  const methods = Object.values(resourcesOf(api, "AWS::ApiGateway::Method"));

  it("has exactly one method, and the only other methods are those that /mcp refuses", () => {
    const declared = Object.values(operations).map(({ method, path }) => `${method} ${path}`);
    declared.push("GET /mcp", "DELETE /mcp");
    const deployed = methods.map(({ Properties }) => `${Properties.HttpMethod} ${pathOf(api, Properties.ResourceId)}`);
    expect(deployed.sort()).toEqual(declared.sort());
  });

  it.each(Object.entries(operations) as [string, Operation][])(
    "invokes its function, with the access of its contract: %s",
    (operationId, { access }) => {
      const method = methods.find(({ Properties }) => Properties.OperationName === operationId)!.Properties;
      const [name] = Object.entries(functions).find(
        ([, { trigger }]) => trigger.kind === "http" && trigger.operation === operationId,
      )!;
      expect(method.Integration.Type).toBe("AWS_PROXY");
      expect(JSON.stringify(method.Integration.Uri)).toContain(`"${name.replaceAll("-", "")}Function`);
      if (access === "public") {
        expect(method).toMatchObject({ AuthorizationType: "NONE" });
        expect(method.AuthorizerId).toBeUndefined();
      } else {
        expect(method).toMatchObject({
          AuthorizationType: "CUSTOM",
          AuthorizerId: { Ref: expect.stringMatching(/^Authorizer/) },
        });
      }
    },
  );
});

describe("GET and DELETE of /mcp", () => {
  const refused = (template: Template) =>
    Object.values(resourcesOf(template, "AWS::ApiGateway::Method"))
      .map(({ Properties }) => Properties)
      .filter(({ ResourceId, HttpMethod }) => pathOf(template, ResourceId) === "/mcp" && /GET|DELETE/.test(HttpMethod));

  it("are answered 405 by the gateway, as the protocol requires of a server without streams and sessions", () => {
    const answers = refused(api);
    expect(answers).toHaveLength(2);
    for (const { AuthorizationType, Integration } of answers) {
      expect(AuthorizationType).toBe("NONE");
      expect(Integration).toMatchObject({ Type: "MOCK", ContentHandling: "CONVERT_TO_TEXT" });
      expect(Integration.IntegrationResponses).toEqual([
        { StatusCode: "405", ResponseParameters: { "method.response.header.Allow": "'POST'" } },
      ]);
    }
  });

  it("are answered to pages of every origin, if pages may call the API at all", () => {
    const [answer] = refused(synthesize({ stage: "prod", corsOrigins: "https://a.example" }).api);
    expect(answer?.Integration.IntegrationResponses[0].ResponseParameters).toEqual({
      "method.response.header.Allow": "'POST'",
      "method.response.header.Access-Control-Allow-Origin": "'*'",
    });
  });
});

describe("the authorizer", () => {
  const authorizer = onlyResource(api, "AWS::ApiGateway::Authorizer").Properties;

  it("is called at most once per minute and token", () => {
    expect(authorizer).toMatchObject({
      Type: "TOKEN",
      IdentitySource: "method.request.header.Authorization",
      AuthorizerResultTtlInSeconds: 60,
    });
  });

  it.each([
    ["Bearer eyJhbGciOi.eyJzdWI.c2ln-_", true],
    ["bearer abc", true],
    ["Basic dXNlcg==", false],
    ["Bearer", false],
    ["Bearer a b", false],
    ["", false],
  ])("is not asked about a header that cannot be a bearer token: %s", (header, asked) => {
    expect(new RegExp(authorizer.IdentityValidationExpression).test(header)).toBe(asked);
  });
});

describe("a 401 of the gateway", () => {
  const challenge = (template: ReturnType<typeof synthesize>["api"]) =>
    Object.values(resourcesOf(template, "AWS::ApiGateway::GatewayResponse")).find(
      ({ Properties }) => Properties.ResponseType === "UNAUTHORIZED",
    )?.Properties.ResponseParameters["gatewayresponse.header.www-authenticate"];

  it("names the resource's metadata at the URL of the stage, or at the first custom domain", () => {
    expect(JSON.stringify(challenge(api))).toMatch(/\.execute-api\..*\/prod\/\.well-known\/oauth-protected-resource/);
    const custom = synthesize({ stage: "prod", pageUrls: "https://chat.example.com/,https://b.example/chat/" }).api;
    expect(challenge(custom)).toBe(
      `'Bearer resource_metadata="https://chat.example.com/.well-known/oauth-protected-resource"'`,
    );
  });
});

describe("the stage", () => {
  const stage = onlyResource(api, "AWS::ApiGateway::Stage").Properties;

  it("limits the rate of requests by the context or by its default", () => {
    const limited = synthesize({ stage: "prod", throttleRate: "7", throttleBurst: "9" }).api;
    expect(stage.MethodSettings[0]).toMatchObject({ ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 });
    expect(onlyResource(limited, "AWS::ApiGateway::Stage").Properties.MethodSettings[0]).toMatchObject({
      ResourcePath: "/*",
      HttpMethod: "*",
      ThrottlingRateLimit: 7,
      ThrottlingBurstLimit: 9,
    });
  });

  it("logs requests as JSON, without content and users", () => {
    const fields = JSON.parse(stage.AccessLogSetting.Format) as Record<string, string>;
    expect(fields).toMatchObject({
      request_id: "$context.requestId",
      route: "$context.resourcePath",
      status: "$context.status",
      latency_ms: "$context.responseLatency",
      integration_latency_ms: "$context.integration.latency",
    });
    const personal = /\$context\.(path|identity|authorizer\.(principalId|claims))|messageString|validationError/;
    expect(Object.values(fields).filter((value) => personal.test(value))).toEqual([]);
    expect(stage.MethodSettings[0]).toMatchObject({ DataTraceEnabled: false, LoggingLevel: "ERROR" });
  });

  it("passes JSON bodies as bytes, so that invalid UTF-8 is refused and not changed", () => {
    expect(onlyResource(api, "AWS::ApiGateway::RestApi").Properties.BinaryMediaTypes).toEqual(["application/json"]);
  });

  it("is traced, and keeps its logs as long as the functions", () => {
    expect(stage.TracingEnabled).toBe(true);
    const retention = Object.values(resourcesOf(api, "AWS::Logs::LogGroup")).map((g) => g.Properties.RetentionInDays);
    expect(new Set(retention)).toEqual(new Set([90]));
  });
});

describe("the gateway's own answer", () => {
  const responses = Object.values(resourcesOf(api, "AWS::ApiGateway::GatewayResponse")).map((r) => r.Properties);
  const byType = Object.fromEntries(responses.map((response) => [response.ResponseType, response]));

  it.each(responses.map((response) => [response.ResponseType, response]))("is a problem: %s", (_, response) => {
    expect(Object.keys(response.ResponseTemplates)).toEqual(["application/problem+json"]);
    const problem = JSON.parse(response.ResponseTemplates["application/problem+json"]);
    expect(Object.keys(problem)).toEqual(["type", "title", "status", "detail", "code", "request_id", "error"]);
    expect(problem.error).toMatchObject({ message: problem.detail, code: problem.code, param: null });
    expect(problem.status).toBe(statusOf[problem.code as keyof typeof statusOf]);
    expect(response.StatusCode).toBe(String(problem.status));
    expect(response.ResponseParameters).toMatchObject({
      "gatewayresponse.header.x-request-id": "context.requestId",
      "gatewayresponse.header.cache-control": "'no-store'",
      "gatewayresponse.header.strict-transport-security": expect.stringContaining("max-age="),
      "gatewayresponse.header.x-content-type-options": "'nosniff'",
    });
  });

  it.each([
    ["UNAUTHORIZED", "401"],
    ["AUTHORIZER_FAILURE", "503"],
    ["AUTHORIZER_CONFIGURATION_ERROR", "503"],
    ["ACCESS_DENIED", "403"],
    ["MISSING_AUTHENTICATION_TOKEN", "404"],
    ["REQUEST_TOO_LARGE", "413"],
    ["UNSUPPORTED_MEDIA_TYPE", "415"],
    ["THROTTLED", "429"],
    ["QUOTA_EXCEEDED", "429"],
    ["DEFAULT_4XX", "400"],
    ["DEFAULT_5XX", "500"],
    ["INTEGRATION_TIMEOUT", "503"],
  ])("has the status of the contract: %s is %s", (type, status) => {
    expect(byType[type].StatusCode).toBe(status);
  });

  it("says when to retry if the service is busy", () => {
    const busy = responses.filter(({ StatusCode }) => ["429", "503"].includes(StatusCode));
    expect(busy).toHaveLength(6);
    for (const { ResponseParameters } of busy) {
      expect(ResponseParameters["gatewayresponse.header.retry-after"]).toMatch(/^'\d+'$/);
    }
  });
});

describe("pages in browsers", () => {
  const answers = (template: Template) =>
    Object.values(resourcesOf(template, "AWS::ApiGateway::Method")).filter(
      (m) => m.Properties.HttpMethod === "OPTIONS",
    );
  const allowed = (template: Template) =>
    onlyResource(template, "AWS::ApiGateway::GatewayResponse", "UNAUTHORIZED").Properties.ResponseParameters[
      "gatewayresponse.header.access-control-allow-origin"
    ];

  const one = synthesize({ stage: "prod", corsOrigins: "https://a.example" }).api;
  const two = synthesize({ stage: "prod", corsOrigins: "https://a.example,https://b.example" }).api;
  const any = synthesize({ stage: "prod", corsOrigins: "*" }).api;

  it("may not call the API by default", () => {
    expect(answers(api)).toEqual([]);
    expect(allowed(api)).toBeUndefined();
    expect(environmentOf(onlyResource(api, "AWS::Lambda::Function", "sessions-get")).CORS_ORIGINS).toBe("");
  });

  it("may call the API from the configured origins, and read the gateway's own answers", () => {
    expect(answers(one).length).toBe(Object.keys(resourcesOf(one, "AWS::ApiGateway::Resource")).length + 1);
    expect(answers(one).every((method) => method.Properties.AuthorizationType === "NONE")).toBe(true);
    expect(allowed(one)).toBe("'https://a.example'");
    expect(allowed(two)).toBe("method.request.header.Origin");
    expect(environmentOf(onlyResource(two, "AWS::Lambda::Function", "sessions-get")).CORS_ORIGINS).toBe(
      "https://a.example,https://b.example",
    );
  });

  it("get an answer to a preflight, because the mock integration converts bodies to text", () => {
    for (const { Properties } of [one, two, any].flatMap(answers)) {
      expect(Properties.Integration).toMatchObject({ Type: "MOCK", ContentHandling: "CONVERT_TO_TEXT" });
    }
  });

  it.each([
    ["one origin", one, "'https://a.example'", "'Origin'"],
    ["the first of two", two, "'https://a.example'", "'Origin'"],
    ["any origin", any, "'*'", undefined],
  ])("learn in a preflight which origins may call: %s", (_, template, origin, vary) => {
    const [answer] = answers(template);
    const headers = answer?.Properties.Integration.IntegrationResponses[0].ResponseParameters;
    expect(headers).toMatchObject({
      "method.response.header.Access-Control-Allow-Origin": origin,
      "method.response.header.Access-Control-Allow-Methods": "'GET,POST,PATCH,DELETE,OPTIONS'",
      "method.response.header.Access-Control-Max-Age": "'3600'",
    });
    expect(headers["method.response.header.Vary"]).toBe(vary);
    expect(Object.keys(answer?.Properties.MethodResponses[0].ResponseParameters)).toEqual(Object.keys(headers));
  });

  it("may read every answer of the gateway itself", () => {
    for (const response of Object.values(resourcesOf(two, "AWS::ApiGateway::GatewayResponse"))) {
      expect(response.Properties.ResponseParameters).toMatchObject({
        "gatewayresponse.header.access-control-allow-origin": "method.request.header.Origin",
        "gatewayresponse.header.access-control-expose-headers": "'retry-after,x-request-id'",
        "gatewayresponse.header.vary": "'Origin'",
      });
    }
  });

  it("may send every header that OpenAI's SDK sends, and those that the API reads", async () => {
    const sent = new Set([
      "idempotency-key",
      "if-match",
      "if-none-match",
      "mcp-method",
      "mcp-name",
      "mcp-protocol-version",
      "x-session-id",
      "x-user-id",
    ]);
    const fetch = async (_: unknown, init?: RequestInit) => {
      for (const name of new Headers(init?.headers).keys()) sent.add(name);
      return new Response("{}", { status: 500 });
    };
    const given = { apiKey: "key", organization: "o", project: "p", maxRetries: 0, dangerouslyAllowBrowser: true };
    const { chat, models } = new OpenAI({ ...given, baseURL: "https://api.example/v1", fetch });
    const body = { model: "m", messages: [] };
    const calls = [chat.completions.create(body), chat.completions.stream(body).done(), models.list({ timeout: 1000 })];
    await Promise.allSettled(calls);
    // The SDK's polling helpers and its timeouts send these.
    for (const name of ["timeout", "poll-helper", "custom-poll-interval"]) sent.add(`x-stainless-${name}`);
    const headers = answers(one)[0]?.Properties.Integration.IntegrationResponses[0].ResponseParameters;
    const allowed = headers["method.response.header.Access-Control-Allow-Headers"].replaceAll("'", "").toLowerCase();
    expect([...sent].filter((name) => name.startsWith("x-stainless-")).length).toBeGreaterThanOrEqual(10);
    expect(allowed.split(",").sort()).toEqual([...sent].sort());
  });
});

describe("the destruction of dev", () => {
  it("keeps only the account's role for API Gateway logs, which other stages use too", () => {
    const all = synthesize({ stage: "dev" });
    const kept = Object.values(all).flatMap((template) =>
      (Object.values(template.toJSON().Resources) as Resource[]).filter((r) => r.DeletionPolicy?.startsWith("Retain")),
    );
    expect(kept.map(({ Metadata }) => Metadata["aws:cdk:path"]).sort()).toEqual([
      "Memocha-dev-Api/Api/Account",
      "Memocha-dev-Api/Api/CloudWatchRole/Resource",
    ]);
  });
});

describe("the firewall", () => {
  it("is an option", () => {
    expect(resourcesOf(api, "AWS::WAFv2::WebACL")).toEqual({});
    const guarded = synthesize({ stage: "prod", waf: "true" }).api;
    expect(Object.keys(resourcesOf(guarded, "AWS::WAFv2::WebACLAssociation"))).toHaveLength(1);
  });
});

describe("outputs", () => {
  it("name the URL", () => {
    expect(Object.keys(api.findOutputs("*"))).toContain("ApiUrl");
  });
});

function environmentOf({ Properties }: Resource): Record<string, unknown> {
  return Properties.Environment.Variables;
}

/** The path of a resource from the API's root. */
function pathOf(template: Template, resourceId: { Ref?: string }): string {
  const resource = resourceId.Ref ? resourcesOf(template, "AWS::ApiGateway::Resource")[resourceId.Ref] : undefined;
  if (!resource) return "/";
  return `${pathOf(template, resource.Properties.ParentId).replace(/\/$/, "")}/${resource.Properties.PathPart}`;
}
