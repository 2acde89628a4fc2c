import { ACCOUNT, functionName, PARTITION, REGION } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import { type AuthorizerSpec, readAuthorizer } from "./authorize.ts";
import { type GatewayResponseSpec, readGatewayResponses } from "./gateway-response.ts";
import { type MockSpec, readMock } from "./mock.ts";
import { createRouter, type Router } from "./router.ts";
import type { TokenBucket } from "./throttle.ts";
import { readThrottles } from "./throttle.ts";

/** Default timeout of an integration in milliseconds. */
const DEFAULT_TIMEOUT = 29_000;

type ApiType = "RestApi" | "Resource" | "Method" | "Authorizer" | "GatewayResponse" | "RequestValidator" | "Stage";

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
  /** An HTTP method, or `ANY`. */
  httpMethod: string;
  /** Like `/v1/sessions/{id}`. */
  resourcePath: string;
  resourceId: string;
  operationName: string | undefined;
  authorizer: AuthorizerSpec | undefined;
  /** Answers 403 to every request, because the local host does not support the method's authorization. */
  closed: boolean;
  /** Required parameters, like `querystring.days` or `header.X-Foo`. */
  required: string[];
  integration: Integration;
  throttle: TokenBucket | undefined;
}

export type Integration =
  | { kind: "lambda"; functionName: string; streaming: boolean; timeout: number }
  | { kind: "mock"; mock: MockSpec }
  /** The gateway may not invoke the function. */
  | { kind: "refused"; cause: string }
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

/** Returns why the gateway may not invoke a function for the ARN of a method or an authorizer; undefined = it may. */
type RefuseInvoke = (functionName: string, sourceArn: string) => string | undefined;

/** Builds the REST API of the template; undefined when there is none. */
export function buildApi(
  resolver: Resolver,
  warn: (message: string) => void,
  refuseInvoke: RefuseInvoke = () => undefined,
): RestApi | undefined {
  const of = (type: ApiType) => resolver.resources(`AWS::ApiGateway::${type}`);
  const ref = (resource: Resource) => resolver.ref(resource);
  const [api, ...others] = of("RestApi");
  if (!api) return undefined;
  for (const { logicalId } of others)
    warn(`${logicalId}: the local host serves only one REST API and ignores this one`);
  const id = ref(api);
  const stages = of("Stage").filter(({ properties }) => properties.RestApiId === id);
  const stage = stages[0]?.properties ?? {};
  const throttles = readThrottles(stage.MethodSettings);
  const paths = resourcePaths(of("Resource"), ref, `${id}-root`);
  const stageName = String(stage.StageName ?? "local");
  const sourceArn = (below: string) => `arn:${PARTITION}:execute-api:${REGION}:${ACCOUNT}:${id}/${below}`;
  const refuse = (logicalId: string, functionName: string, below: string): string | undefined => {
    const cause = refuseInvoke(functionName, sourceArn(below));
    if (cause) warn(`${logicalId}: every request gets the status 500, as on AWS. ${cause}`);
    return cause;
  };
  const authorizers = new Map(
    of("Authorizer").map((a) => {
      const spec = readAuthorizer(a, warn);
      const refused = spec && refuse(a.logicalId, spec.functionName, `authorizers/${ref(a)}`);
      return [ref(a), spec && { ...spec, refused }];
    }),
  );
  const validators = new Map(of("RequestValidator").map((v) => [ref(v), v.properties]));

  const methods = of("Method").flatMap(({ logicalId, properties }): Method[] => {
    const method = properties as unknown as MethodProperties;
    const resourcePath = paths.get(method.ResourceId);
    if (resourcePath === undefined) {
      warn(`${logicalId}: its resource ${method.ResourceId} is not in the template, so the host ignores the method`);
      return [];
    }
    const validator = validators.get(method.RequestValidatorId ?? "");
    if (validator?.ValidateRequestBody) warn(`${logicalId}: the local gateway does not validate bodies with models`);
    const authorization = method.AuthorizationType ?? "NONE";
    const authorizer = authorizers.get(method.AuthorizerId ?? "");
    const closed = authorization !== "NONE" && !(authorization === "CUSTOM" && authorizer);
    if (closed)
      warn(
        `${logicalId}: the local gateway does not support the authorization ${authorization} and refuses every request`,
      );
    const integration = readIntegration(logicalId, method.Integration ?? {}, warn);
    const verb = method.HttpMethod === "ANY" ? "*" : method.HttpMethod;
    const refused =
      integration.kind === "lambda" &&
      refuse(logicalId, integration.functionName, `${stageName}/${verb}${resourcePath}`);
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
        integration: refused ? { kind: "refused", cause: refused } : integration,
        throttle: throttles(resourcePath, method.HttpMethod),
      },
    ];
  });

  return {
    id,
    stage: stageName,
    stageVariables: (stage.Variables as Record<string, string> | undefined) ?? null,
    binaryMediaTypes: (api.properties.BinaryMediaTypes as string[] | undefined) ?? [],
    router: createRouter(methods),
    gatewayResponses: readGatewayResponses(of("GatewayResponse")),
  };
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
