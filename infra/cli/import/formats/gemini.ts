import { BadRecord, type Conversation, type SourceMessage } from "../conversation.ts";
import { htmlToText } from "../read/html-text.ts";
import { readInstant } from "./fields.ts";
import { type Format, isObject, type JsonObject, type Source } from "./format.ts";

/** Milliseconds between two prompts of the same conversation. Takeout does not say which prompts belong together. */
const GAP = 30 * 60 * 1000;

/**
 * Gemini's activities in Google Takeout: `MyActivity.json`, an array of `{header, title: "Prompted …", time, safeHtmlItem: [{html}]}`,
 * or `MyActivity.html`, which `read-activities.ts` turns into such records. The newest record comes first.
 */
export const gemini: Format = {
  name: "Gemini's activities (Google Takeout)",
  recognises: ({ header, title }) => typeof header === "string" && typeof title === "string",
  read: readActivities,
  continues: (records, record) => gapBetween(records.at(-1), record) <= GAP,
};

function gapBetween(a: JsonObject | undefined, b: JsonObject): number {
  const [from, to] = [a?.time, b.time].map((time) => (typeof time === "string" ? parseTime(time) : Number.NaN));
  const gap = Math.abs((from ?? Number.NaN) - (to ?? Number.NaN));
  // Records without a valid time are reported one by one.
  return Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap;
}

/** The beginnings of prompts in an English export. */
const PROMPT = /^(Prompted with: |Prompted |Asked Gemini: |Asked Bard: |Asked |Said |Branched |Answered )/;
/** The beginnings of other activities in an English export, such as feedback. */
const OTHER =
  /^(Created|Used|Added|Gave|Selected|Shared|Deleted|Viewed|Visited|Searched|Edited|Pinned|Renamed|Exported|Updated) /;
const ATTACHED = /\s*(Attached \d+ files?\.?|\d+ attachments?\.)[\s\S]*$/;

function readActivities(records: readonly JsonObject[], source: Source): Conversation | undefined {
  const turns = records.toReversed().flatMap((record) => readTurn(record, source));
  const [first] = turns;
  if (!first) return undefined;
  return {
    id: `gemini-${first.at}`,
    title: first.prompt.split("\n", 1)[0]?.slice(0, 100) ?? "",
    messages: turns.flatMap(({ messages }) => messages),
  };
}

function readTurn(record: JsonObject, source: Source): { at: number; prompt: string; messages: SourceMessage[] }[] {
  const title = String(record.title)
    .replaceAll(/[\u00a0\u202f]/g, " ")
    .trim();
  const answer = answerOf(record);
  const isGemini = [record.header, ...(Array.isArray(record.products) ? record.products : [])].some((label) =>
    /gemini|bard/i.test(String(label)),
  );
  // In other languages, an activity with an answer is a prompt.
  const isPrompt = PROMPT.test(title) || (answer !== "" && !OTHER.test(title));
  if (!isGemini || !isPrompt) {
    source.leaveOut(isGemini ? "activities that are not prompts" : "activities of other products");
    return [];
  }
  const text = typeof record.time === "string" ? parseTime(record.time) : record.time;
  const at = readInstant(Number.isNaN(text) ? record.time : text, "time");
  if (at === undefined) throw new BadRecord("missing time");
  const prompt = title.replace(PROMPT, "").replace(ATTACHED, "").trim();
  // The records do not name the files.
  if (ATTACHED.test(title)) source.leaveOut("files that are not in the export");
  return [
    {
      at,
      prompt,
      messages: [
        { role: "user", at, content: prompt },
        ...(answer === "" ? [] : [{ role: "assistant" as const, at, content: answer }]),
      ],
    },
  ];
}

function answerOf({ answer, safeHtmlItem }: JsonObject): string {
  if (typeof answer === "string") return answer;
  if (!Array.isArray(safeHtmlItem)) return "";
  return safeHtmlItem
    .flatMap((item) => (isObject(item) && typeof item.html === "string" ? [htmlToText(item.html)] : []))
    .join("\n\n");
}

/** Offsets of time zones that `Date.parse` does not know. */
const ZONES: Record<string, string> = {
  CET: "+0100",
  CEST: "+0200",
  BST: "+0100",
  JST: "+0900",
  WEST: "+0100",
  EET: "+0200",
  EEST: "+0300",
};

/** Epoch milliseconds of an ISO 8601 time, or of an English one such as "Jan 15, 2024, 10:00:00 AM EST"; NaN when it is neither. */
function parseTime(text: string): number {
  return Date.parse(text.replaceAll("\u202f", " ").replace(/\b[A-Z]{3,4}$/, (zone) => ZONES[zone] ?? zone));
}
