import type { Resource } from "../assembly/resolve.ts";

/** The responses of the gateway itself: the default status and the exception's name. */
const kinds = {
  ACCESS_DENIED: [403, "AccessDeniedException"],
  API_CONFIGURATION_ERROR: [500, "InternalServerErrorException"],
  AUTHORIZER_CONFIGURATION_ERROR: [500, "AuthorizerConfigurationException"],
  AUTHORIZER_FAILURE: [500, "AuthorizerFailureException"],
  BAD_REQUEST_PARAMETERS: [400, "BadRequestException"],
  /** The function failed or returned a malformed response. It has no gateway response of its own. */
  BAD_GATEWAY: [502, "InternalServerErrorException"],
  INTEGRATION_TIMEOUT: [504, "InternalServerErrorException"],
  MISSING_AUTHENTICATION_TOKEN: [403, "MissingAuthenticationTokenException"],
  REQUEST_TOO_LARGE: [413, "RequestTooLargeException"],
  THROTTLED: [429, "LimitExceededException"],
  UNAUTHORIZED: [401, "UnauthorizedException"],
} as const satisfies Record<string, readonly [number, string]>;

export type GatewayResponseKind = keyof typeof kinds;

/** A `AWS::ApiGateway::GatewayResponse` of the template. */
export interface GatewayResponseSpec {
  status: number | undefined;
  parameters: Record<string, string>;
  templates: Record<string, string>;
}

interface GatewayAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The values that parameters and templates can use. */
interface ResponseScope {
  /** `$context` without `error`. */
  context: object;
  /** Lower-case names. */
  headers: Record<string, string | string[] | undefined>;
  query: Record<string, string> | null;
}

export function readGatewayResponses(resources: Resource[]): Map<string, GatewayResponseSpec> {
  return new Map(
    resources.map(({ properties }) => [
      String(properties.ResponseType),
      {
        status: properties.StatusCode === undefined ? undefined : Number(properties.StatusCode),
        parameters: (properties.ResponseParameters ?? {}) as Record<string, string>,
        templates: (properties.ResponseTemplates ?? {}) as Record<string, string>,
      },
    ]),
  );
}

/** Renders a response of the gateway: by the template's response of this kind, by its `DEFAULT_4XX`/`5XX`, or by AWS's default. */
export function renderGatewayResponse(
  responses: Map<string, GatewayResponseSpec>,
  kind: GatewayResponseKind,
  message: string,
  scope: ResponseScope,
): GatewayAnswer {
  const [usual, exception] = kinds[kind];
  const spec = responses.get(kind) ?? responses.get(usual < 500 ? "DEFAULT_4XX" : "DEFAULT_5XX");
  const context = { ...scope.context, error: errorContext(kind, message) };
  const templates = spec?.templates ?? {};
  const type = "application/json" in templates ? "application/json" : (Object.keys(templates)[0] ?? "application/json");
  const template = templates[type] ?? '{"message":$context.error.messageString}';
  const headers: Record<string, string> = { "content-type": type, "x-amzn-errortype": exception };
  for (const [name, source] of Object.entries(spec?.parameters ?? {})) {
    const value = parameter(source, scope, context);
    if (value !== undefined) headers[name.replace(/^gatewayresponse\.header\./, "").toLowerCase()] = value;
  }
  return { status: spec?.status ?? usual, headers, body: fill(template, context) };
}

function errorContext(kind: string, message: string) {
  return { message, messageString: JSON.stringify(message), responseType: kind, validationErrorString: message };
}

function fill(template: string, context: object): string {
  return template.replaceAll(/\$(?:\{context\.([\w.-]+)\}|context\.([\w-]+(?:\.[\w-]+)*))/g, (_, braced, plain) =>
    String(lookup(context, braced ?? plain) ?? ""),
  );
}

function parameter(source: string, scope: ResponseScope, context: object): string | undefined {
  const quoted = /^'(.*)'$/s.exec(source)?.[1];
  if (quoted !== undefined) return quoted;
  const [, header] = /^method\.request\.header\.(.+)$/.exec(source) ?? [];
  if (header) return single(scope.headers[header.toLowerCase()]);
  const [, query] = /^method\.request\.querystring\.(.+)$/.exec(source) ?? [];
  if (query) return scope.query?.[query];
  const [, path] = /^context\.(.+)$/.exec(source) ?? [];
  const value = path ? lookup(context, path) : undefined;
  return value === undefined || value === null ? undefined : String(value);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(",") : value;
}

function lookup(from: unknown, path: string): unknown {
  let value = from;
  for (const part of path.split(".")) value = (value as Record<string, unknown> | undefined | null)?.[part];
  return value;
}
