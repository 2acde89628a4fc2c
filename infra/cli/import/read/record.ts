/** A record of a file before it is parsed. */
export interface RawRecord {
  /** The line where it begins, counted from 1. */
  line: number;
  /** Its index in the file's array, counted from 0; absent in JSON Lines. */
  index?: number;
  /** UTF-8 JSON, or why there is none. */
  content: Buffer | { problem: string };
}

/** One record of a file: parsed JSON, or why it cannot be parsed. */
export interface InputRecord {
  /** Its place in the file, for reports: "line 12", "conversation 3 (line 40)". */
  place: string;
  /** Bytes of its JSON. */
  bytes: number;
  content: { value: unknown } | { problem: string };
}
