import { StringDecoder } from "node:string_decoder";
import { Parser } from "htmlparser2";
import { createTextWriter } from "./html-text.ts";
import type { InputRecord } from "./record.ts";

/** A line that holds a time, such as "Jan 15, 2024, 10:00:00 AM EST". It is between a prompt and its answer. */
const TIME = /^[^\n]{0,40}\d{4}[^\n]{0,20}\b\d{1,2}:\d{2}:\d{2}\b[^\n]{0,20}$/m;

/**
 * Reads the activities of a `MyActivity.html` of Google Takeout. Its records are like those of a `MyActivity.json`, but have `answer` as
 * text. Each activity is a `div` of the class `outer-cell`. Its product is in the `header-cell`, its text in the first `content-cell`.
 */
export async function* readActivities(chunks: AsyncIterable<Buffer>): AsyncGenerator<InputRecord> {
  const found: InputRecord[] = [];
  const parser = createParser((record) => found.push(record));
  const decoder = new StringDecoder("utf8");
  for await (const chunk of chunks) {
    parser.write(decoder.write(chunk));
    yield* found.splice(0);
  }
  parser.end(decoder.end());
  yield* found.splice(0);
}

function createParser(onRecord: (record: InputRecord) => void): Parser {
  const writer = createTextWriter();
  let depth = 0;
  /** The depths at which the current activity and the current cell began. */
  let activity: number | undefined;
  let cell: { at: number; kind: "header" | "content" } | undefined;
  let count = 0;
  let header = "";
  let content: string | undefined;
  return new Parser({
    onopentag(tag, { class: names = "" }) {
      depth += 1;
      const classes = names.split(" ");
      if (tag === "div" && classes.includes("outer-cell")) {
        [activity, cell, header, content] = [depth, undefined, "", undefined];
      } else if (cell) writer.open(tag);
      else if (activity !== undefined && classes.includes("header-cell")) cell = { at: depth, kind: "header" };
      else if (activity !== undefined && classes.includes("content-cell") && content === undefined) {
        cell = { at: depth, kind: "content" };
      }
    },
    ontext(text) {
      if (cell) writer.text(text);
    },
    onclosetag(tag) {
      if (cell && depth === cell.at) {
        const text = writer.take();
        if (cell.kind === "header") header = text;
        else content = text;
        cell = undefined;
      } else if (cell) writer.close(tag);
      if (activity === depth) {
        activity = undefined;
        count += 1;
        onRecord(toRecord(`activity ${count}`, header, content ?? ""));
      }
      depth -= 1;
    },
  });
}

function toRecord(place: string, header: string, content: string): InputRecord {
  const text = content.replaceAll(/[\u00a0\u202f]/g, " ");
  const match = TIME.exec(text);
  const time = match?.[0].trim();
  const title = (match ? text.slice(0, match.index) : text).trim();
  const answer = match ? text.slice(match.index + match[0].length).trim() : "";
  const value = { header, title, ...(time !== undefined && { time }), ...(answer && { answer }) };
  return { place, bytes: content.length, content: { value } };
}
