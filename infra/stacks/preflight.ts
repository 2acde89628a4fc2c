import {
  AuthorizationType,
  ContentHandling,
  type Method,
  MockIntegration,
  ResourceBase,
  type RestApi,
} from "aws-cdk-lib/aws-apigateway";

/** Seconds for which a browser may cache the answer. */
const MAX_AGE = 3600;

const METHODS = ["GET", "POST", "PATCH", "DELETE", "OPTIONS"];

/** Request headers that the API reads. */
const API_HEADERS = [
  "Accept",
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "If-Match",
  "If-None-Match",
  "MCP-Method",
  "MCP-Name",
  "MCP-Protocol-Version",
  "X-Session-Id",
  "X-User-Id",
];

/**
 * Request headers that OpenAI's SDK sends from a browser. If one were missing here, the preflight would fail. The API reads only the
 * retry count. Version 6 sets `User-Agent`, and Firefox and Safari send it then.
 */
const OPENAI_HEADERS = [
  "OpenAI-Organization",
  "OpenAI-Project",
  "User-Agent",
  "X-Stainless-Arch",
  "X-Stainless-Custom-Poll-Interval",
  "X-Stainless-Helper-Method",
  "X-Stainless-Lang",
  "X-Stainless-OS",
  "X-Stainless-Package-Version",
  "X-Stainless-Poll-Helper",
  "X-Stainless-Retry-Count",
  "X-Stainless-Runtime",
  "X-Stainless-Runtime-Version",
  "X-Stainless-Timeout",
];

/**
 * Makes the gateway answer browsers' preflight requests (`OPTIONS`) on every resource that exists now. CDK's own
 * `defaultCorsPreflightOptions` has no `contentHandling`, and API Gateway then answers 500: a preflight has no content type, so it counts
 * as `application/json`, which the API declares as binary, and a mock integration accepts text only.
 */
export function addPreflights(api: RestApi, origins: readonly string[]): void {
  if (origins.length === 0) return;
  for (const resource of api.node.findAll()) {
    if (resource instanceof ResourceBase) addPreflight(resource, origins);
  }
}

function addPreflight(resource: ResourceBase, origins: readonly string[]): Method {
  const headers = headersFor(origins);
  const integration = new MockIntegration({
    contentHandling: ContentHandling.CONVERT_TO_TEXT,
    requestTemplates: { "application/json": "{ statusCode: 200 }" },
    integrationResponses: [
      {
        statusCode: "204",
        responseParameters: named(headers, (value) => `'${value}'`),
        ...(origins.length > 1 ? { responseTemplates: { "application/json": echoOrigin(origins) } } : {}),
      },
    ],
  });
  return resource.addMethod("OPTIONS", integration, {
    authorizationType: AuthorizationType.NONE,
    methodResponses: [{ statusCode: "204", responseParameters: named(headers, () => true) }],
  });
}

function headersFor([first = "", ...others]: readonly string[]): Record<string, string> {
  return {
    "Access-Control-Allow-Origin": first,
    ...(first === "*" && others.length === 0 ? {} : { Vary: "Origin" }),
    "Access-Control-Allow-Methods": METHODS.join(","),
    "Access-Control-Allow-Headers": [...API_HEADERS, ...OPENAI_HEADERS].join(","),
    "Access-Control-Max-Age": String(MAX_AGE),
  };
}

const named = <T>(headers: Record<string, string>, of: (value: string) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [`method.response.header.${name}`, of(value)]));

/** A mapping template that answers with the origin of the request, if it is allowed, instead of the first one. */
function echoOrigin(origins: readonly string[]): string {
  return [
    '#set($origin = $input.params().header.get("Origin"))',
    '#if($origin == "")',
    '  #set($origin = $input.params().header.get("origin"))',
    "#end",
    `#if(${origins.map((origin) => `$origin == "${origin}"`).join(" || ")})`,
    "  #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)",
    "#end",
  ].join("\n");
}
