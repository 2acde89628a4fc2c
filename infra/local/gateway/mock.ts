/** A mock integration, as CDK's `defaultCorsPreflightOptions` creates it. */
export interface MockSpec {
  status: number;
  /** Whether the mock converts a binary body to text. Otherwise it fails on one. */
  takesBinary: boolean;
  headers: Record<string, string>;
  body: string;
  /** Further allowed origins. */
  origins: string[];
}

interface MockProperties {
  ContentHandling?: string;
  RequestTemplates?: Record<string, string>;
  IntegrationResponses?: {
    StatusCode: string;
    SelectionPattern?: string;
    ResponseParameters?: Record<string, string>;
    ResponseTemplates?: Record<string, string>;
  }[];
}

/** CDK's mapping template for several origins. Other VTL is not supported. */
const ORIGINS_TEMPLATE =
  /^\s*#set\(\$origin = [^\n]+\n#if\(\$origin == ""\)\n[^\n]+\n#end\n#if\(((?:\$origin == "[^"\n]+"(?: \|\| )?)+)\)\n\s*#set\(\$context\.responseOverride\.header\.Access-Control-Allow-Origin = \$origin\)\n#end\s*$/;

export function readMock(logicalId: string, properties: object, warn: (message: string) => void): MockSpec {
  const { ContentHandling, RequestTemplates = {}, IntegrationResponses = [] } = properties as MockProperties;
  const asked = /"?statusCode"?\s*:\s*(\d{3})/.exec(Object.values(RequestTemplates)[0] ?? "")?.[1] ?? "200";
  const chosen =
    IntegrationResponses.find(
      ({ SelectionPattern }) => SelectionPattern && new RegExp(`^(?:${SelectionPattern})$`).test(asked),
    ) ?? IntegrationResponses.find(({ SelectionPattern }) => !SelectionPattern);
  const template = chosen?.ResponseTemplates?.["application/json"] ?? "";
  const origins = ORIGINS_TEMPLATE.exec(template)?.[1];
  if (!origins && /[#$]/.test(template))
    warn(`${logicalId}: the local gateway does not support the mapping template of this mock`);
  return {
    status: Number(chosen?.StatusCode ?? 500),
    takesBinary: ContentHandling === "CONVERT_TO_TEXT",
    headers: readHeaders(logicalId, chosen?.ResponseParameters ?? {}, warn),
    body: origins || /[#$]/.test(template) ? "" : template,
    origins: origins ? [...origins.matchAll(/"([^"]+)"/g)].map(([, origin]) => String(origin)) : [],
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
