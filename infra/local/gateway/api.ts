import type { Resource } from "../assembly/resolve.ts";
import { functionName } from "../lambda/invoke-api.ts";
import { type AuthorizerSpec, readAuthorizer } from "./authorizer-spec.ts";
import { type GatewayResponseSpec, readGatewayResponses } from "./gateway-response.ts";
import { type MockSpec, readMock } from "./mock.ts";
import { createRouter, type Router } from "./router.ts";
import type { TokenBucket } from "./throttle.ts";
import { readThrottles } from "./throttle.ts";

/** Milliseconds that the gateway waits for an integration when the method says nothing. */
const DEFAULT_TIMEOUT = 29_000;

/** The types of resources that make up a REST API. */
export const apiTypes = [
  "AWS::ApiGateway::RestApi",
  "AWS::ApiGateway::Resource",
  "AWS::ApiGateway::Method",
  "AWS::ApiGateway::Authorizer",
  "AWS::ApiGateway::GatewayResponse",
  "AWS::ApiGateway::RequestValidator",
  "AWS::ApiGateway::Stage",
] as const;

/** A REST API of the template, ready to be served. */
export interface RestApi {
  id: string;
  stage: string;
  stageVariables: Record<string, string> | null;
  binaryMediaTypes: string[];
  router: Router<Method>;
  gatewayResponses: Map<string, GatewayResponseSpec>;
}

export interface Method {
  /** As declared: a method, or `ANY`. */
  httpMethod: string;
  /** Like `/v1/sessions/{id}`. */
  resourcePath: string;
  resourceId: string;
  operationName: string | undefined;
  authorizer: AuthorizerSpec | undefined;
  /** Answer 403 to everybody: the method is authorized in a way that cannot be had here. */
  closed: boolean;
  /** `querystring.days` or `header.X-Foo`, where the request must have it. */
  required: string[];
  integration: Integration;
  throttle: TokenBucket | undefined;
}

export type Integration =
  | { kind: "lambda"; functionName: string; streaming: boolean; timeout: number }
  | { kind: "mock"; mock: MockSpec }
  | { kind: "unknown"; type: string };

interface MethodProperties {
  HttpMethod: string;
  ResourceId: string;
  OperationName?: string;
  AuthorizationType?: string;
  AuthorizerId?: string;
  RequestParameters?: Record<string, boolean>;
  RequestValidatorId?: string;
  Integration?: IntegrationProperties;
}

interface IntegrationProperties {
  Type?: string;
  Uri?: string;
  TimeoutInMillis?: number;
}

/** Puts the REST API together. `resources` are those of `apiTypes`, resolved. Undefined when there is none. */
export function buildApi(resources: Resource[], ids: Ids, warn: (message: string) => void): RestApi | undefined {
  const of = (type: (typeof apiTypes)[number]) => resources.filter((resource) => resource.type === type);
  const [api, ...others] = of("AWS::ApiGateway::RestApi");
  if (!api) return undefined;
  for (const { logicalId } of others) warn(`${logicalId}: the local host serves one REST API, and this is another`);
  const id = ids.ref(api);
  const stages = of("AWS::ApiGateway::Stage").filter(({ properties }) => properties.RestApiId === id);
  const stage = stages[0]?.properties ?? {};
  const throttles = readThrottles(stage.MethodSettings);
  const paths = resourcePaths(of("AWS::ApiGateway::Resource"), ids.ref, ids.root(api));
  const authorizers = new Map(of("AWS::ApiGateway::Authorizer").map((a) => [ids.ref(a), readAuthorizer(a, warn)]));
  const validators = new Map(of("AWS::ApiGateway::RequestValidator").map((v) => [ids.ref(v), v.properties]));

  const methods = of("AWS::ApiGateway::Method").flatMap(({ logicalId, properties }): Method[] => {
    const method = properties as unknown as MethodProperties;
    const resourcePath = paths.get(method.ResourceId);
    if (resourcePath === undefined) {
      warn(`${logicalId}: its resource ${method.ResourceId} is not in the template`);
      return [];
    }
    const validator = validators.get(method.RequestValidatorId ?? "");
    if (validator?.ValidateRequestBody) warn(`${logicalId}: the local gateway does not validate bodies by models`);
    const authorization = method.AuthorizationType ?? "NONE";
    const authorizer = authorizers.get(method.AuthorizerId ?? "");
    const closed = authorization !== "NONE" && !(authorization === "CUSTOM" && authorizer);
    if (closed) warn(`${logicalId}: authorization ${authorization} cannot be had here; everybody is refused`);
    const required = Object.entries(validator?.ValidateRequestParameters ? (method.RequestParameters ?? {}) : {});
    return [
      {
        httpMethod: method.HttpMethod,
        resourcePath,
        resourceId: method.ResourceId,
        operationName: method.OperationName,
        authorizer: authorization === "CUSTOM" ? authorizer : undefined,
        closed,
        required: required.filter(([, must]) => must).map(([name]) => name.replace(/^method\.request\./, "")),
        integration: readIntegration(logicalId, method.Integration ?? {}, warn),
        throttle: throttles(resourcePath, method.HttpMethod),
      },
    ];
  });

  return {
    id,
    stage: String(stage.StageName ?? "local"),
    stageVariables: (stage.Variables as Record<string, string> | undefined) ?? null,
    binaryMediaTypes: (api.properties.BinaryMediaTypes as string[] | undefined) ?? [],
    router: createRouter(methods),
    gatewayResponses: readGatewayResponses(of("AWS::ApiGateway::GatewayResponse")),
  };
}

/** How resources refer to each other: what `Ref` gives, and the id of an API's root resource. */
export interface Ids {
  ref(resource: Resource): string;
  root(api: Resource): string;
}

function readIntegration(
  logicalId: string,
  properties: IntegrationProperties,
  warn: (message: string) => void,
): Integration {
  const type = properties.Type ?? "none";
  if (type === "MOCK") return { kind: "mock", mock: readMock(logicalId, properties, warn) };
  const [, arn, action] =
    /\/functions\/(.+)\/(invocations|response-streaming-invocations)$/.exec(properties.Uri ?? "") ?? [];
  if (type !== "AWS_PROXY" || !arn || !action) {
    warn(`${logicalId}: the local gateway cannot run its integration ${type} ${properties.Uri ?? ""}`);
    return { kind: "unknown", type };
  }
  return {
    kind: "lambda",
    functionName: functionName(arn),
    streaming: action === "response-streaming-invocations",
    timeout: properties.TimeoutInMillis ?? DEFAULT_TIMEOUT,
  };
}

function resourcePaths(resources: Resource[], ref: (resource: Resource) => string, root: string): Map<string, string> {
  const paths = new Map([[root, "/"]]);
  let left = resources;
  while (left.length > 0) {
    const rest = left.filter((resource) => {
      const parent = paths.get(String(resource.properties.ParentId));
      if (parent === undefined) return true;
      paths.set(ref(resource), `${parent === "/" ? "" : parent}/${resource.properties.PathPart}`);
      return false;
    });
    if (rest.length === left.length) break;
    left = rest;
  }
  return paths;
}
