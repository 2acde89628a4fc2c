import { checkStorageClass } from "./attributes.ts";
import { S3Error } from "./error.ts";
import type { StoredObject, Tag } from "./objects.ts";
import { parseXml, type XmlElement } from "./xml.ts";

/** A rule of a bucket's lifecycle; every age is in days. */
export interface LifecycleRule {
  filter: Filter;
  expiration: When | undefined;
  /** Whether delete markers that hide nothing are removed. */
  expiredMarkers: boolean;
  transitions: Transition[];
  noncurrentExpiration: Noncurrent | undefined;
  noncurrentTransitions: (Noncurrent & { storageClass: string })[];
  /** Days after which unfinished uploads are aborted. */
  abortUploads: number | undefined;
}

export interface Filter {
  prefix: string;
  tags: Tag[];
  /** Bytes, exclusive. */
  greaterThan: number | undefined;
  lessThan: number | undefined;
}

/** An age in days or a date in milliseconds since 1970. */
export type When = { days: number } | { date: number };
export type Transition = When & { storageClass: string };

export interface Noncurrent {
  days: number;
  /** How many of the newest noncurrent versions are kept whatever their age. */
  keep: number;
}

const ruleElements = [
  "ID",
  "Status",
  "Prefix",
  "Filter",
  "Expiration",
  "Transition",
  "NoncurrentVersionExpiration",
  "NoncurrentVersionTransition",
  "AbortIncompleteMultipartUpload",
];

/** Reads the enabled rules of a lifecycle document. Throws MalformedXML or InvalidArgument for what none can mean. */
export function readRules(document: string): LifecycleRule[] {
  const elements = parseXml(document, "LifecycleConfiguration").all("Rule");
  if (elements.length === 0) throw malformed("a lifecycle has at least one rule");
  const rules = elements.map((element) => ({ enabled: readStatus(element), rule: readRule(element) }));
  return rules.filter(({ enabled }) => enabled).map(({ rule }) => rule);
}

export function matches({ prefix, tags, greaterThan, lessThan }: Filter, object: StoredObject): boolean {
  return (
    object.key.startsWith(prefix) &&
    (greaterThan === undefined || object.size > greaterThan) &&
    (lessThan === undefined || object.size < lessThan) &&
    tags.every(({ key, value }) => object.tags.some((tag) => tag.key === key && tag.value === value))
  );
}

function readStatus(rule: XmlElement): boolean {
  const status = rule.text("Status");
  if (status !== "Enabled" && status !== "Disabled") throw malformed("a rule's Status is Enabled or Disabled");
  return status === "Enabled";
}

function readRule(rule: XmlElement): LifecycleRule {
  const unknown = rule.names.find((name) => !ruleElements.includes(name));
  if (unknown) throw malformed(`a rule has no element ${unknown}`);
  const expiration = rule.one("Expiration");
  const noncurrent = rule.one("NoncurrentVersionExpiration");
  const abort = rule.one("AbortIncompleteMultipartUpload");
  const expiredMarkers = expiration?.text("ExpiredObjectDeleteMarker") === "true";
  return {
    filter: readFilter(rule),
    expiration: expiration && !expiredMarkers ? readWhen(expiration) : undefined,
    expiredMarkers,
    transitions: rule.all("Transition").map((element) => ({ ...readWhen(element), ...readStorageClass(element) })),
    noncurrentExpiration: noncurrent && readNoncurrent(noncurrent),
    noncurrentTransitions: rule
      .all("NoncurrentVersionTransition")
      .map((element) => ({ ...readNoncurrent(element), ...readStorageClass(element) })),
    abortUploads: abort && readNumber(abort, "DaysAfterInitiation", 1),
  };
}

function readFilter(rule: XmlElement): Filter {
  const filter = rule.one("Filter");
  const inner = filter?.one("And") ?? filter;
  const tags = (inner?.all("Tag") ?? []).map((tag) => ({ key: tag.text("Key") ?? "", value: tag.text("Value") ?? "" }));
  const bytes = (name: string): number | undefined =>
    inner?.text(name) === undefined ? undefined : readNumber(inner, name, 0);
  return {
    // An older form has the prefix beside the filter's place.
    prefix: inner?.text("Prefix") ?? rule.text("Prefix") ?? "",
    tags,
    greaterThan: bytes("ObjectSizeGreaterThan"),
    lessThan: bytes("ObjectSizeLessThan"),
  };
}

function readWhen(element: XmlElement): When {
  const date = element.text("Date");
  if (date === undefined) return { days: readNumber(element, "Days", element.text("StorageClass") ? 0 : 1) };
  const time = Date.parse(date);
  if (Number.isNaN(time) || time % 86_400_000 !== 0) {
    throw new S3Error("InvalidArgument", "'Date' must be at midnight GMT");
  }
  return { date: time };
}

function readNoncurrent(element: XmlElement): Noncurrent {
  const keep = element.text("NewerNoncurrentVersions");
  return {
    days: readNumber(element, "NoncurrentDays", element.text("StorageClass") ? 0 : 1),
    keep: keep === undefined ? 0 : readNumber(element, "NewerNoncurrentVersions", 1),
  };
}

function readStorageClass(element: XmlElement): { storageClass: string } {
  return { storageClass: checkStorageClass(element.text("StorageClass") ?? "") };
}

function readNumber(element: XmlElement, name: string, least: number): number {
  const text = element.text(name);
  if (text === undefined || !/^\d+$/.test(text)) throw malformed(`${name} has to be a whole number`);
  if (Number(text) < least) throw new S3Error("InvalidArgument", `'${name}' must be at least ${least}`);
  return Number(text);
}

function malformed(why: string): S3Error {
  return new S3Error("MalformedXML", `The lifecycle configuration is not valid: ${why}.`);
}
