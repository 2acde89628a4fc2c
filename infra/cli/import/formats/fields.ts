import { type Role, roleSchema } from "../../../../shared/session/schema.ts";
import { BadRecord } from "../conversation.ts";

/** Larger numbers are milliseconds, smaller ones seconds. As milliseconds it is in March 1973, as seconds in the year 5138. */
const FIRST_MILLISECONDS = 1e11;
/** The last instant that the API accepts: the end of the year 9999, in epoch milliseconds. */
const LAST = Date.UTC(10000, 0) - 1;

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/**
 * Reads a time as whole epoch milliseconds. It may be epoch seconds (integer or float), epoch milliseconds, or ISO 8601, which is UTC
 * unless it has an offset. `undefined` when the source has no time.
 * @param field the field's name, for the error text.
 * @throws BadRecord when it is not a date, or not between the years 1970 and 9999.
 */
export function readInstant(value: unknown, field: string): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const at = toMilliseconds(value);
  if (at === undefined || !(at >= 0 && at <= LAST)) {
    throw new BadRecord(`${field}: bad date ${JSON.stringify(value)} (epoch seconds, milliseconds or ISO 8601)`);
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
  // Date turns 30 February into 2 March: reject a date that does not exist.
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

/**
 * Joins the parts of a message, which are strings and objects of ChatGPT and OpenAI. A part that is not text becomes its kind in brackets,
 * such as "[image]", so that a reader knows that it was there.
 */
export function joinParts(parts: readonly unknown[]): string {
  return parts
    .map(describePart)
    .filter((text) => text !== "")
    .join("\n");
}

function describePart(part: unknown): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null) return "";
  const { content_type: contentType, type = contentType, text } = part as Record<string, unknown>;
  if (typeof text === "string") return text;
  const kind = typeof type === "string" ? type : "attachment";
  // Kinds are image_asset_pointer, image_url, real_time_user_audio_video_asset_pointer, input_audio, input_file and the like.
  const known = ["image", "video", "audio", "file"].find((word) => kind.includes(word));
  return `[${known ?? kind.replaceAll("_", " ")}]`;
}

/** @throws BadRecord when the API does not know the role. */
export function readRole(value: unknown, field: string): Role {
  const role = roleSchema.safeParse(value);
  if (role.success) return role.data;
  const found = value === undefined ? "missing role" : `unknown role ${JSON.stringify(value)}`;
  throw new BadRecord(`${field}: ${found} (${roleSchema.options.join(", ")})`);
}
