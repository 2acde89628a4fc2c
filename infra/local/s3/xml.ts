import { XMLParser } from "fast-xml-parser";
import { S3Error } from "./error.ts";

/** What an element holds: text, or elements in order; `undefined` leaves the element out. */
export type XmlValue = string | number | boolean | readonly XmlChild[] | undefined;
export type XmlChild = readonly [name: string, value: XmlValue];

/** Writes a document with the S3 namespace. */
export function renderXml(root: string, children: readonly XmlChild[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${renderChildren(children)}</${root}>`;
}

/** The error document, which has no namespace. */
export function renderErrorXml(children: readonly XmlChild[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${renderChildren(children)}</Error>`;
}

/** An element of a parsed document. */
export interface XmlElement {
  /** The names of its child elements. */
  names: string[];
  /** The text of the first child element of that name. */
  text(name: string): string | undefined;
  one(name: string): XmlElement | undefined;
  all(name: string): XmlElement[];
}

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  // Keys may begin or end with spaces.
  trimValues: false,
  removeNSPrefix: true,
  // Without it numeric character references stay as they are, and keys hold them for control characters.
  htmlEntities: true,
});

/** Reads a request's document. Throws MalformedXML when it is none or its root is not `root`. */
export function parseXml(text: string, root: string): XmlElement {
  // S3 takes no document type, and without one no entity can expand.
  if (/<!DOCTYPE/i.test(text)) throw malformed();
  let document: unknown;
  try {
    document = parser.parse(text, true);
  } catch {
    throw malformed();
  }
  const found = element(document).one(root);
  if (!found) throw malformed();
  return found;
}

function malformed(): S3Error {
  return new S3Error(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema.",
  );
}

function element(value: unknown): XmlElement {
  const members = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const all = (name: string): unknown[] =>
    members.flatMap(([key, member]: [string, unknown]) => (key === name ? member : []));
  return {
    names: members.map(([key]) => key).filter((key) => key !== "#text"),
    all: (name) => all(name).map(element),
    one: (name) => all(name).slice(0, 1).map(element)[0],
    text: (name) => {
      const [first] = all(name);
      return typeof first === "string" ? first : undefined;
    },
  };
}

function renderChildren(children: readonly XmlChild[]): string {
  return children.map(([name, value]) => (value === undefined ? "" : `<${name}>${render(value)}</${name}>`)).join("");
}

function render(value: Exclude<XmlValue, undefined>): string {
  return typeof value === "object" ? renderChildren(value) : escapeText(String(value));
}

const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escapeText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: S3 writes control characters in keys as references.
  return text.replace(/[&<>"\u0000-\u001f\u007f]/g, (char) => named[char] ?? `&#${char.charCodeAt(0)};`);
}
