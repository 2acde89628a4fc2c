import { expect, it } from "vitest";
import { createOpenapi } from "../../shared/http/openapi.ts";
import { type OperationId, operations } from "../../shared/http/operations.ts";
import { markedRequests } from "../support/marked-requests.ts";
import { startApi } from "../support/start-api.ts";

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
  items?: Schema;
}

/** Fields of requests that hold no text of a user, and why. A path that ends with `*` covers all below it. */
const UNMARKED: Partial<Record<OperationId, Record<string, string[]>>> = {
  appendMessages: { "an id that the server gives": [".parts[].file_id", ".messages[].parts[].file_id"] },
  chat: {
    "names what exists": [".parts[].file_id", ".regenerate", ".model"],
    "a part that is refused in a question": [".parts[].url", ".parts[].title", ".parts[].input*"],
  },
  sendUiChat: { "names what exists": [".model"], "a kind of part": [".messages[].parts[].type"] },
  createCompletion: {
    "names what exists": [".model", ".messages[].content[].file.file_id"],
    "a kind of tool": [".tools[].type"],
    "is refused": [".audio…", ".functions…", ".function_call…"],
    "only the word text is accepted": [".modalities[]"],
  },
  createEvent: { "a dimension of metrics, which all users share": [".name"] },
  createFile: { "no text": [".sha256"] },
  createErasure: { "the id of a user, which is searched apart": [".user_id"] },
  callMcp: { "the tools have schemas of their own": ["…"] },
};

/** Formats in which a text is no words of a user. */
const FORMATS = new Set(["date-time", "uuid"]);

const document = createOpenapi("0") as {
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>>;
  components: { schemas: Record<string, Schema> };
};

/**
 * The places in a JSON value that may hold any text, as `.messages[].content`; `.*` is any member, `.<key>` the name of one. A place with `…`
 * may hold any JSON.
 */
function textFields(schema: Schema, path = "", within: readonly string[] = []): string[] {
  if (schema.$ref !== undefined) {
    if (within.includes(schema.$ref)) return [path];
    const named = document.components.schemas[schema.$ref.split("/").at(-1) ?? ""]!;
    return textFields(named, path, [...within, schema.$ref]);
  }
  const { properties = {}, additionalProperties, propertyNames, items, anyOf = [], oneOf = [] } = schema;
  const below = (inner: Schema, at: string) => textFields(inner, path + at, within);
  if (schema.enum || schema.const !== undefined || FORMATS.has(schema.format ?? "")) return [];
  const isAny = Object.keys(schema).every((key) => ["description", "id", "example"].includes(key));
  return [
    ...(isAny ? [`${path}…`] : [schema.type].flat().includes("string") ? [path] : []),
    ...[...anyOf, ...oneOf].flatMap((each) => below(each, "")),
    ...Object.entries(properties).flatMap(([name, inner]) => below(inner, `.${name}`)),
    ...(typeof additionalProperties === "object" ? below(additionalProperties, ".*") : []),
    ...(propertyNames ? below(propertyNames, ".<key>") : []),
    ...(items ? below(items, "[]") : []),
  ];
}

/** The places of a value that hold a mark, and with `…` those that have one below them. */
function markedFields(value: unknown, path = ""): string[] {
  if (typeof value === "string") return value.includes("MARK") ? [path, `${path}…`] : [];
  if (typeof value !== "object" || value === null) return [];
  const below = Array.isArray(value)
    ? value.flatMap((item) => markedFields(item, `${path}[]`))
    : Object.entries(value).flatMap(([key, inner]) => [
        ...(key.includes("MARK") ? [`${path}.<key>`] : []),
        ...markedFields(inner, `${path}.${key}`),
      ]);
  return below.length > 0 ? [...below, `${path}…`] : [];
}

const isCovered = (field: string, marked: readonly string[]): boolean => {
  const [pattern] = [field.replace(/[.[\]*]/g, (sign) => (sign === "*" ? "[^.[]+" : `\\${sign}`))];
  return marked.some((path) => new RegExp(`^${pattern}$`).test(path));
};

const named = { session: "MARK", calling: "MARK", calls: ["MARK", "MARK", "MARK"], file: "a file" };
const requests = markedRequests(() => "MARK", named) as Partial<Record<string, object[]>>;

function forgotten(schema: Schema, bodies: readonly object[], exceptions: readonly string[]): string[] {
  const marked = bodies.flatMap((body) => markedFields(body));
  const isExcepted = (field: string) =>
    exceptions.some((each) => (each.endsWith("*") ? field.startsWith(each.slice(0, -1)) : each === field));
  return [...new Set(textFields(schema))].filter((field) => !isExcepted(field) && !isCovered(field, marked));
}

const writing = (Object.keys(operations) as OperationId[]).filter((id) => operations[id].access === "user");

it.each(writing)("the benchmark of erasures marks every text field of %s", (id) => {
  const { path, method } = operations[id];
  const schema = document.paths[path]?.[method.toLowerCase()]?.requestBody?.content["application/json"]?.schema;
  const exceptions = Object.values(UNMARKED[id] ?? {}).flat();
  expect(schema ? forgotten(schema, requests[id] ?? [], exceptions) : []).toEqual([]);
});

it("a field that no request marks is noticed", () => {
  const { appendMessages = [] } = requests;
  const schema = document.components.schemas.SessionCreate!;
  expect(forgotten(schema, [], [])).toEqual([
    ".id",
    ".title",
    ".metadata.*",
    ".metadata.*[]",
    ".metadata.*.*",
    ".metadata.*.<key>",
    ".metadata.<key>",
  ]);
  expect(forgotten(document.components.schemas.MessageAppend!, appendMessages.slice(0, 2), [])).toContain(
    ".messages[].parts[].filename",
  );
});

it("the benchmark of erasures marks every text argument of the MCP server's tools", async () => {
  const api = await startApi();
  try {
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const { body } = await api.post("/mcp", list, { headers: { accept: "application/json, text/event-stream" } });
    const called = requests.callMcp as { params: { name: string; arguments: object } }[];
    for (const { name, inputSchema } of body.result.tools) {
      const bodies = called.filter(({ params }) => params.name === name).map(({ params }) => params.arguments);
      const reads = { forget: [".memory_id"], list_sessions: [".cursor"], read_session: [".session_id", ".cursor"] };
      const exceptions = [...(reads[name as keyof typeof reads] ?? []), ".messages[].parts[].file_id"];
      expect(forgotten(inputSchema, bodies, exceptions), name).toEqual([]);
    }
  } finally {
    await api.close();
  }
});
