import { ACCOUNT, functionName, PARTITION, REGION } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import { type AuthorizerSpec, readAuthorizer } from "./authorize.ts";
import { type GatewayResponseSpec, readGatewayResponses } from "./gateway-response.ts";
import { type MockSpec, readMock } from "./mock.ts";
import { createRouter, type Router } from "./router.ts";
import { readThrottles, type TokenBucket } from "./throttle.ts";

/** Default timeout of an integration in milliseconds. */
const DEFAULT_TIMEOUT = 29_000;

/** A REST API of the template, ready to be served. */
export interface RestApi {
  id: string;
  stage: string;
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
  integration: Integration;
  throttle: TokenBucket | undefined;
}

type Integration =
  | { kind: "lambda"; functionName: string; streaming: boolean; timeout: number }
  | { kind: "mock"; mock: MockSpec }
  /** The gateway answers 500 to every request. */
  | { kind: "refused"; cause: string };

interface MethodProperties {
  HttpMethod: string;
  ResourceId: string;
  OperationName?: string;
  AuthorizationType?: string;
  AuthorizerId?: string;
  Integration?: { Type?: string; Uri?: string; TimeoutInMillis?: number };
}

/** Returns why the gateway may not invoke a function for the ARN of a method or an authorizer; undefined = it may. */
type RefuseInvoke = (functionName: string, sourceArn: string) => string | undefined;

/** Builds the REST API of the template; undefined when there is none. */
export function buildApi(
  resolver: Resolver,
  warn: (message: string) => void,
  refuseInvoke: RefuseInvoke = () => undefined,
): RestApi | undefined {
  const of = (type: string) => resolver.resources(`AWS::ApiGateway::${type}`);
  const [api, ...others] = of("RestApi");
  if (!api) return undefined;
  for (const { logicalId } of others)
    warn(`${logicalId}: the local host serves only one REST API and ignores this one`);
  const id = resolver.ref(api);
  const { StageName = "local", MethodSettings } = (of("Stage")[0]?.properties ?? {}) as {
    StageName?: string;
    MethodSettings?: Parameters<typeof readThrottles>[0];
  };
  const throttles = readThrottles(MethodSettings);
  const paths = resourcePaths(of("Resource"), resolver, `${id}-root`);
  const refuse = (logicalId: string, functionName: string, below: string): string | undefined => {
    const sourceArn = `arn:${PARTITION}:execute-api:${REGION}:${ACCOUNT}:${id}/${below}`;
    const cause = refuseInvoke(functionName, sourceArn);
    if (cause) warn(`${logicalId}: every request gets the status 500, as on AWS. ${cause}`);
    return cause;
  };
  const authorizers = new Map(
    of("Authorizer").map((resource) => {
      const ref = resolver.ref(resource);
      const spec = readAuthorizer(resource, warn);
      const refused = spec && refuse(resource.logicalId, spec.functionName, `authorizers/${ref}`);
      return [ref, spec && { ...spec, refused }];
    }),
  );

  const methods = of("Method").map(({ logicalId, properties }): Method => {
    const method = properties as unknown as MethodProperties;
    const { HttpMethod: httpMethod, AuthorizationType: authorization = "NONE", ResourceId: resourceId } = method;
    const resourcePath = paths(resourceId);
    const authorizer = authorization === "CUSTOM" ? authorizers.get(method.AuthorizerId ?? "") : undefined;
    const closed = authorization !== "NONE" && !authorizer;
    if (closed)
      warn(
        `${logicalId}: the local gateway does not support the authorization ${authorization} and refuses every request`,
      );
    let integration = readIntegration(logicalId, method.Integration ?? {}, warn);
    if (integration.kind === "lambda") {
      const below = `${StageName}/${httpMethod === "ANY" ? "*" : httpMethod}${resourcePath}`;
      const cause = refuse(logicalId, integration.functionName, below);
      if (cause) integration = { kind: "refused", cause };
    }
    const throttle = throttles(resourcePath, httpMethod);
    const operationName = method.OperationName;
    return { httpMethod, resourcePath, resourceId, operationName, authorizer, closed, integration, throttle };
  });

  return {
    id,
    stage: StageName,
    binaryMediaTypes: (api.properties.BinaryMediaTypes as string[] | undefined) ?? [],
    router: createRouter(methods),
    gatewayResponses: readGatewayResponses(of("GatewayResponse")),
  };
}

function readIntegration(
  logicalId: string,
  properties: NonNullable<MethodProperties["Integration"]>,
  warn: (message: string) => void,
): Integration {
  const { Type: type = "none", Uri = "", TimeoutInMillis: timeout = DEFAULT_TIMEOUT } = properties;
  if (type === "MOCK") return { kind: "mock", mock: readMock(logicalId, properties, warn) };
  const [, arn, action] = /\/functions\/(.+)\/(invocations|response-streaming-invocations)$/.exec(Uri) ?? [];
  if (type === "AWS_PROXY" && arn && action) {
    return { kind: "lambda", functionName: functionName(arn), streaming: action !== "invocations", timeout };
  }
  warn(`${logicalId}: the local gateway cannot run its integration ${type} ${Uri}`);
  return { kind: "refused", cause: "the local host does not support its integration" };
}

/** Returns a function that builds the path of a resource from those of its parents. */
function resourcePaths(resources: Resource[], resolver: Resolver, root: string): (id: string) => string {
  const byId = new Map(resources.map((resource) => [resolver.ref(resource), resource.properties]));
  const below = (id: string): string => {
    const resource = byId.get(id);
    return resource && id !== root ? `${below(String(resource.ParentId))}/${resource.PathPart}` : "";
  };
  return (id) => below(id) || "/";
}
