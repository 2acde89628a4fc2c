import { XMLBuilder, XMLParser } from "fast-xml-parser";
import type { ZodType } from "zod";
import { S3Error } from "./s3-error.ts";

/** Child elements by name. An array is several elements of the same name. `undefined` leaves an element out. */
interface XmlElement {
  readonly [name: string]: string | number | boolean | undefined | XmlElement | readonly XmlElement[];
}

const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const builder = new XMLBuilder({
  ignoreAttributes: false,
  processEntities: false,
  tagValueProcessor: (_name, value) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: S3 writes control characters in keys as references.
    String(value).replace(/[&<>"\u0000-\u001f\u007f]/g, (char) => named[char] ?? `&#${char.charCodeAt(0)};`),
});

/** The names of elements that a document may repeat. They are read as arrays. */
const REPEATED = new Set(["Object", "Part", "Rule", "Tag"]);

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  isArray: (name) => REPEATED.has(name),
  parseTagValue: false,
  // Keys may begin or end with spaces.
  trimValues: false,
  removeNSPrefix: true,
  // Decodes numeric character references, because keys hold control characters in this form.
  htmlEntities: true,
});

/** Writes a document with the S3 namespace. The error document has none. */
export function renderXml(root: string, children: XmlElement): string {
  const namespace = root === "Error" ? {} : { "@_xmlns": "http://s3.amazonaws.com/doc/2006-03-01/" };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: { ...namespace, ...children } })}`;
}

/** Reads a request's document. Throws MalformedXML if its root is not `root` or its content does not fit the schema. */
export function parseXml<T>(text: string, root: string, schema: ZodType<T>): T {
  // S3 accepts no document type. Without one, no entity can expand.
  if (/<!DOCTYPE/i.test(text)) throw malformed("it has a document type");
  let document: Record<string, unknown>;
  try {
    document = parser.parse(text, true);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
  if (document[root] === undefined) throw malformed(`it has no root element ${root}`);
  const { success, data, error } = schema.safeParse(withoutWhitespace(document[root]));
  if (success) return data;
  const [issue] = error.issues;
  throw malformed(`${[root, ...(issue?.path ?? [])].join(".")}: ${issue?.message}`);
}

/** Removes the text between elements. */
function withoutWhitespace(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutWhitespace);
  if (typeof value !== "object" || value === null) return value;
  const children = Object.entries(value).filter(([name]) => name !== "#text");
  return Object.fromEntries(children.map(([name, child]) => [name, withoutWhitespace(child)]));
}

function malformed(reason: string): S3Error {
  return new S3Error("MalformedXML", `The XML of the request is not valid: ${reason}.`);
}
