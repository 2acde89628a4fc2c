import { BadRecord } from "../bad-record.ts";

/** From here on a number is milliseconds: as seconds it would be the year 5138, as milliseconds it is March 1973. */
const FIRST_MILLISECONDS = 1e11;
/** The last instant that the API takes: the end of the year 9999, in epoch milliseconds. */
const LAST = Date.UTC(10000, 0) - 1;

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * The instant that a source means, in whole epoch milliseconds: epoch seconds (integer or float), epoch milliseconds, or
 * ISO 8601, which counts as UTC when it names no offset. `undefined` when the source says nothing.
 * @param what the field, for the error message.
 * @throws BadRecord when it is no date, or not between the years 1970 and 9999.
 */
export function readInstant(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const at = toMilliseconds(value);
  if (at === undefined || !(at >= 0 && at <= LAST)) {
    throw new BadRecord(`${what}: bad date ${JSON.stringify(value)} (epoch seconds, milliseconds or ISO 8601)`);
  }
  return at;
}

function toMilliseconds(value: unknown): number | undefined {
  if (typeof value === "number") return Math.round(value < FIRST_MILLISECONDS ? value * 1000 : value);
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  return /^\d+(\.\d+)?$/.test(text) ? toMilliseconds(Number(text)) : parseIso(text);
}

function parseIso(text: string): number | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [, year, month, day, offset] = match;
  // Date turns 30 February into 2 March; a date that does not exist is an error of the source.
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  if (date.getUTCMonth() !== Number(month) - 1) return undefined;
  const time = text.slice(11).replace(",", ".").replace(/\s/g, "");
  if (time === "") return date.getTime();
  const clock = offset ? time.slice(0, -offset.length) : time;
  const at = Date.parse(`${text.slice(0, 10)}T${clock}${toOffset(offset)}`);
  return Number.isNaN(at) ? undefined : at;
}

function toOffset(offset: string | undefined): string {
  if (offset === undefined || /z/i.test(offset)) return "Z";
  const digits = offset.slice(1).replace(":", "").padEnd(4, "0");
  return `${offset.charAt(0)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
