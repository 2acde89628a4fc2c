import { findPersonal, replaceSpans } from "./find-personal.ts";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Replaces personal data and secrets in a text by their kinds, such as `[email]`. */
export function redact(text: string): string {
  return redactAfter("", text);
}

/** Redacts the texts, numbers and field names in a JSON value. A number with personal data becomes a text. */
export function redactJson(value: unknown): unknown {
  return redactField("", value as Json);
}

function redactField(name: string, value: Json): Json {
  if (typeof value === "string") return redactAfter(name, value);
  if (typeof value === "number") {
    const text = String(value);
    const redacted = redactAfter(name, text);
    return redacted === text ? value : redacted;
  }
  if (Array.isArray(value)) return value.map((each) => redactField(name, each));
  if (value === null || typeof value === "boolean") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [redact(key), redactField(key, each)]));
}

/** Redacts the value of a field, whose name may say what the value is: `{"bsn": 123456782}`. */
function redactAfter(name: string, text: string): string {
  const before = name === "" ? "" : `${name}: `;
  const spans = findPersonal(before + text).flatMap(({ kind, start, end }) => {
    const at = Math.max(0, start - before.length);
    return end > before.length ? [{ kind, start: at, end: end - before.length }] : [];
  });
  return replaceSpans(text, spans, ({ kind }) => `[${kind}]`);
}
