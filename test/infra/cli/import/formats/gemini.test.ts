import { expect, test } from "vitest";
import { gemini } from "../../../../../infra/cli/import/formats/gemini.ts";
import { joinRecords } from "../../../../../infra/cli/import/formats/join-records.ts";
import { readRecords } from "../../../../../infra/cli/import/read/read-records.ts";
import { entryOf, source } from "../fixtures.ts";

const activity = (title: string, time: string, html?: string) => ({
  header: "Gemini Apps",
  title,
  time,
  products: ["Gemini Apps"],
  ...(html !== undefined && { safeHtmlItem: [{ html }] }),
});

/** The conversations of a file. */
async function conversationsIn(content: string, from = source()) {
  const found = [];
  for await (const { content: piece, place } of joinRecords(readRecords(entryOf("x", content).open, () => undefined))) {
    found.push("problem" in piece ? `${place}: ${piece.problem}` : piece.format.read(piece.records, from));
  }
  return found;
}

test("prompts at most 30 minutes apart are one conversation, in order of time", async () => {
  const from = source();
  const list = [
    activity("Prompted later", "2024-01-15T12:00:00.000Z"),
    activity("Gave feedback: good", "2024-01-15T10:21:00Z"),
    activity("Prompted\u00a0and why?", "2024-01-15T10:20:00Z", "<p>Because.</p>"),
    activity("Prompted what is <b>?\nAttached 2 files.", "2024-01-15T10:00:00Z", "<h2>Bold</h2><ul><li>one</li></ul>"),
    { header: "Search", title: "Searched for x", time: "2024-01-15T09:59:00Z" },
  ];
  const at = (time: string) => Date.parse(`2024-01-15T${time}Z`);
  expect(await conversationsIn(JSON.stringify(list), from)).toEqual([
    {
      id: `gemini-${at("12:00:00")}`,
      title: "later",
      messages: [{ role: "user", at: at("12:00:00"), content: "later" }],
    },
    {
      id: `gemini-${at("10:00:00")}`,
      title: "what is <b>?",
      messages: [
        { role: "user", at: at("10:00:00"), content: "what is <b>?" },
        { role: "assistant", at: at("10:00:00"), content: "Bold\n- one" },
        { role: "user", at: at("10:20:00"), content: "and why?" },
        { role: "assistant", at: at("10:20:00"), content: "Because." },
      ],
    },
  ]);
  expect(from.left).toEqual([
    "activities of other products",
    "files that are not in the export",
    "activities that are not prompts",
  ]);
});

const card = (body: string, header = "Gemini Apps") =>
  `<div class="outer-cell mdl-cell mdl-cell--12-col mdl-shadow--2dp"><div class="mdl-grid"><div class="header-cell mdl-cell mdl-cell--12-col"><p class="mdl-typography--title">${header}<br></p></div><div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1">${body}</div><div class="content-cell mdl-cell mdl-cell--6-col mdl-typography--body-1 mdl-typography--text-right"></div><div class="content-cell mdl-cell mdl-cell--12-col mdl-typography--caption"><b>Products:</b><br>Gemini Apps</div></div></div>`;
const page = (...cards: string[]) =>
  `<html><head><title>My Activity History</title><style>.x{}</style></head><body><div class="mdl-grid">${cards.join("")}</div></body></html>`;

test("an HTML page of activities gives the same conversations as the JSON file", async () => {
  const html = page(
    card(
      "Prompted\u00a0Fish &amp; chips?<br>Line two<br>Jan 15, 2024, 10:00:00\u202fAM EST<br><p>Yes: <b>both</b>.</p><div>Also</div><pre><code>a &lt; b\n  c</code></pre>",
    ),
    card("Used an app<br>Jan 15, 2024, 9:59:00\u202fAM CET<br>"),
  );
  const at = Date.parse("2024-01-15T15:00:00Z");
  const from = source();
  expect((await conversationsIn(html, from))[0]).toEqual({
    id: `gemini-${at}`,
    title: "Fish & chips?",
    messages: [
      { role: "user", at, content: "Fish & chips?\nLine two" },
      { role: "assistant", at, content: "Yes: both.\nAlso\n\n```\na < b\n  c\n```" },
    ],
  });
});

test("an activity with an unreadable time, and a page without activities, are bad records", async () => {
  const [record] = await conversationsIn(page(card("Prompted x<br>15 ottobre 2024, 10:00:00 CET<br>y"))).catch(
    (error) => [error],
  );
  expect(String(record)).toMatch(/time: bad date "15 ottobre 2024, 10:00:00 CET"/);
  expect(await conversationsIn("<html><body>Hello</body></html>")).toEqual(["file: the file has no conversation"]);
});

test("activities without a prompt are left out", () => {
  const from = source();
  expect(gemini.read([activity("Gave feedback", "2024-01-15T10:00:00Z")], from)).toBeUndefined();
  expect(from.left).toEqual(["activities that are not prompts"]);
});
