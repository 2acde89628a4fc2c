import type { Resource } from "../assembly/resolve.ts";

/** The responses of the gateway itself: the default status and the exception's name. */
const kinds = {
  ACCESS_DENIED: [403, "AccessDeniedException"],
  API_CONFIGURATION_ERROR: [500, "InternalServerErrorException"],
  AUTHORIZER_CONFIGURATION_ERROR: [500, "AuthorizerConfigurationException"],
  AUTHORIZER_FAILURE: [500, "AuthorizerFailureException"],
  /** The function failed or returned a malformed response. API Gateway has no response type for it. */
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

/** The values that parameters and templates can use. */
interface ResponseScope {
  /** `$context` without `error`. */
  context: object;
  /** Lower-case names. */
  headers: Record<string, string | string[] | undefined>;
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
): { status: number; headers: Record<string, string>; body: string } {
  const [usual, exception] = kinds[kind];
  const spec = responses.get(kind) ?? responses.get(usual < 500 ? "DEFAULT_4XX" : "DEFAULT_5XX");
  const error = { message, messageString: JSON.stringify(message), responseType: kind };
  const context = { ...scope.context, error };
  const [type, template] = Object.entries(spec?.templates ?? {})[0] ?? [
    "application/json",
    '{"message":$context.error.messageString}',
  ];
  const headers: Record<string, string> = { "content-type": type, "x-amzn-errortype": exception };
  for (const [name, source] of Object.entries(spec?.parameters ?? {})) {
    const value = parameter(source, scope, context);
    if (value !== undefined) headers[name.replace(/^gatewayresponse\.header\./, "").toLowerCase()] = value;
  }
  const body = template.replaceAll(/\$context\.([\w-]+(?:\.[\w-]+)*)/g, (_, path) =>
    String(lookup(context, path) ?? ""),
  );
  return { status: spec?.status ?? usual, headers, body };
}

/** The URL of a stage. The local host serves the API at its own address, without the stage. */
const STAGE_URL = /https:\/\/[\w-]+\.execute-api\.[\w.-]+\/[\w-]+\//;

/** A text in quotes, a header of the request, or a variable of the context. */
function parameter(source: string, { headers }: ResponseScope, context: object): string | undefined {
  const [, quoted, header, path = ""] = /^(?:'(.*)'|method\.request\.header\.(.+)|context\.(.+))$/s.exec(source) ?? [];
  if (quoted !== undefined) return quoted.replace(STAGE_URL, `http://${lookup(context, "domainName")}/`);
  const value = header ? [headers[header.toLowerCase()]].flat()[0] : lookup(context, path);
  return value === undefined || value === null ? undefined : String(value);
}

function lookup(from: unknown, path: string): unknown {
  let value = from;
  for (const part of path.split(".")) value = (value as Record<string, unknown> | undefined | null)?.[part];
  return value;
}
