import type { InputRecord } from "../read/record.ts";
import { type Format, isObject, type JsonObject } from "./format.ts";
import { findFormat, UNKNOWN_FORMAT } from "./formats.ts";

/** The records of one conversation, or the problem that prevents its import. */
export interface JoinedRecords {
  /** The place of the first record. */
  place: string;
  /** Bytes of JSON. */
  bytes: number;
  content: { format: Format; records: JsonObject[] } | { problem: string };
}

/** The default of `Format.maxBytes`. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Finds the format of each record of a file, and joins the records of each conversation. If the first record is of no known format, reports
 * one problem for the whole file.
 */
export async function* joinRecords(records: AsyncIterable<InputRecord>): AsyncGenerator<JoinedRecords> {
  let open: (JoinedRecords & { content: { format: Format; records: JsonObject[] } }) | undefined;
  let isKnown = false;
  /** Ends the open conversation, with its records or with a problem. */
  const end = function* (problem?: string): Generator<JoinedRecords> {
    if (open) yield problem === undefined ? open : { ...open, content: { problem } };
    open = undefined;
  };
  for await (const { place, bytes, content } of records) {
    if ("problem" in content) {
      const isIncomplete = open?.content.format.needsAll;
      yield* end(isIncomplete ? `not imported, because a record of it cannot be read: ${place}` : undefined);
      yield { place, bytes, content };
      continue;
    }
    const { value } = content;
    const format = isObject(value) ? findFormat(value) : undefined;
    if (!format || !isObject(value)) {
      yield* end();
      if (!isKnown)
        return yield { place: "file", bytes, content: { problem: isObject(value) ? UNKNOWN_FORMAT : NO_OBJECT } };
      yield { place, bytes, content: { problem: isObject(value) ? UNKNOWN_FORMAT : NO_OBJECT } };
      continue;
    }
    isKnown = true;
    if (open?.content.format === format && format.continues?.(open.content.records, value)) {
      open.bytes += bytes;
      // Above the limit, the records are not held in memory, because the conversation becomes a problem.
      if (open.bytes <= maxBytesOf(format)) open.content.records.push(value);
      continue;
    }
    yield* endWithinLimit();
    open = { place, bytes, content: { format, records: [value] } };
    if (!format.continues) yield* endWithinLimit();
  }
  yield* endWithinLimit();

  function* endWithinLimit(): Generator<JoinedRecords> {
    const max = open ? maxBytesOf(open.content.format) : 0;
    yield* end(open && open.bytes > max ? `larger than ${max} bytes` : undefined);
  }
}

const maxBytesOf = ({ maxBytes = MAX_BYTES }: Format): number => maxBytes;

const NO_OBJECT = "not a JSON object";
