import { expect } from "vitest";
import { createOpenapi } from "../../shared/http/openapi.ts";
import { type OperationId, operations } from "../../shared/http/operations.ts";

interface Response {
  headers?: Record<string, object>;
  content?: Record<string, object>;
}
interface Document {
  paths: Record<string, Record<string, { responses: Record<string, Response> }>>;
}

const document = createOpenapi("0.0.0") as Document;

/** The documented answers of an operation, by status. */
export function documentedResponses(id: OperationId): Record<string, Response> {
  const { path, method } = operations[id];
  return document.paths[path]?.[method.toLowerCase()]?.responses ?? {};
}

/** An answer, in the terms of the document. */
export interface Served {
  status: number;
  /** Without parameters; `null` = no body. */
  type: string | null;
  /** Lower-case names, without the content type. */
  headers: string[];
}

export function servedBy({ status, headers, hasBody }: { status: number; headers: object; hasBody: boolean }): Served {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  const type = entries.find(([name]) => name === "content-type")?.[1].split(";")[0] ?? null;
  return {
    status,
    type: hasBody ? type : null,
    headers: entries.map(([name]) => name).filter((name) => name !== "content-type"),
  };
}

/** Fails if the document does not name the status, the content type or a header of an answer. */
export function expectDocumented(id: OperationId, { status, type, headers }: Served): void {
  const response = documentedResponses(id)[status];
  expect(response, `${id} is not documented to answer ${status}`).toBeDefined();
  const types = Object.keys(response?.content ?? {});
  if (type !== null) expect(types, `content types of ${id} ${status}`).toContain(type);
  else expect(types, `content types of ${id} ${status}, which came without a body`).toEqual([]);
  expect(Object.keys(response?.headers ?? {}), `headers of ${id} ${status}`).toEqual(expect.arrayContaining(headers));
}
