/** A mock integration with one response without a body, as for preflights. */
export interface MockSpec {
  status: number;
  /** Whether the mock converts a binary body to text. Otherwise it fails on one. */
  takesBinary: boolean;
  headers: Record<string, string>;
  /** Further allowed origins. */
  origins: string[];
}

interface MockProperties {
  ContentHandling?: string;
  IntegrationResponses?: {
    StatusCode: string;
    ResponseParameters?: Record<string, string>;
    ResponseTemplates?: Record<string, string>;
  }[];
}

/** CDK's mapping template for several origins. Other VTL is not supported. */
const ORIGINS_TEMPLATE =
  /^\s*#set\(\$origin = [^\n]+\n#if\(\$origin == ""\)\n[^\n]+\n#end\n#if\(((?:\$origin == "[^"\n]+"(?: \|\| )?)+)\)\n\s*#set\(\$context\.responseOverride\.header\.Access-Control-Allow-Origin = \$origin\)\n#end\s*$/;

export function readMock(logicalId: string, properties: object, warn: (message: string) => void): MockSpec {
  const { ContentHandling, IntegrationResponses = [] } = properties as MockProperties;
  const [response, ...others] = IntegrationResponses;
  const template = response?.ResponseTemplates?.["application/json"] ?? "";
  const [, origins = ""] = ORIGINS_TEMPLATE.exec(template) ?? [];
  if (others.length > 0 || (template && !origins))
    warn(`${logicalId}: the local gateway supports one response of a mock, with no body`);
  return {
    status: Number(response?.StatusCode ?? 500),
    takesBinary: ContentHandling === "CONVERT_TO_TEXT",
    headers: readHeaders(logicalId, response?.ResponseParameters ?? {}, warn),
    origins: [...origins.matchAll(/"([^"]+)"/g)].map(([, origin]) => String(origin)),
  };
}

/** The headers of a mock's response to a request from this origin. */
export function mockHeaders({ headers, origins }: MockSpec, origin: string | undefined): Record<string, string> {
  if (!origin || !origins.includes(origin)) return headers;
  return { ...headers, "Access-Control-Allow-Origin": origin };
}

function readHeaders(logicalId: string, parameters: Record<string, string>, warn: (message: string) => void) {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    const header = /^method\.response\.header\.(.+)$/.exec(name)?.[1];
    const text = /^'(.*)'$/.exec(value)?.[1];
    if (header && text !== undefined) headers[header] = text;
    else warn(`${logicalId}: the local gateway does not support the response parameter ${name} = ${value}`);
  }
  return headers;
}
