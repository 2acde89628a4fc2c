import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createWriter, type MessageLine, type SessionLine } from "../../../shared/archive/archived-lines.ts";
import type { LakeContent } from "../../../shared/lake/lake-content.ts";
import { createSessionRows } from "../../../shared/lake/session-rows.ts";
import type { MessageRecord } from "../../../shared/session/message.ts";
import { forkAt, LINEAR, placeOf } from "../../../shared/session/tree.ts";

const header = {
  user_id: "ann",
  id: "s",
  title: null,
  metadata: {},
  created_at: "2026-11-21T00:00:00.000Z",
  ttl_seconds: 60,
  pinned: false,
  live_generation: 3,
  seed: "seed",
};
const message = (n: number, more: Partial<MessageRecord> = {}): MessageRecord => ({
  id: `00000000-0000-7000-8000-00000000000${n}`,
  role: "user",
  content: `text ${n}`,
  created_at: `2026-11-21T00:00:0${n}.000Z`,
  ...more,
});

/** The lines of an archive object. */
async function linesOf(messages: readonly MessageRecord[], tree = LINEAR): Promise<[SessionLine, ...MessageLine[]]> {
  const writer = createWriter({ ...header, tree });
  const parts: Buffer[] = [];
  async function* source() {
    yield [...messages];
  }
  for await (const part of writer.body(source())) parts.push(part);
  const lines = gunzipSync(Buffer.concat(parts)).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line)) as [SessionLine, ...MessageLine[]];
}

function rowsOf([session, ...messages]: [SessionLine, ...MessageLine[]], content: LakeContent = "full") {
  const rows = createSessionRows(session, { userHash: "u", archivedAt: 0, content });
  return messages.map((line) => rows.message(line));
}

const summaryOf = (rows: ReturnType<typeof rowsOf>) =>
  rows.map(({ message_id, parent_id, is_current }) => [
    message_id?.slice(-1),
    parent_id?.slice(-1) ?? null,
    is_current,
  ]);

describe("the rows of a session", () => {
  it("have the parent of each message, and whether it is on the current branch", async () => {
    const tree = forkAt(LINEAR, placeOf(message(1)));
    const messages = [message(1), message(2), message(3, { branch: 1 }), message(4), message(5, { branch: 1 })];
    expect(summaryOf(rowsOf(await linesOf(messages, tree)))).toEqual([
      ["1", null, true],
      ["2", "1", false],
      ["3", "1", true],
      ["4", "2", false],
      ["5", "3", true],
    ]);
  });

  it("leave out messages that were deleted but are still stored", async () => {
    const tree = { branches: [{ end: placeOf(message(1)).position }, { from: placeOf(message(1)) }], current: 1 };
    const lines = await linesOf([message(1), message(2), message(3, { branch: 1 })], tree);
    expect(summaryOf(rowsOf(lines))).toEqual([
      ["1", null, true],
      ["3", "1", true],
    ]);
    expect(lines[0]).toMatchObject({ branch: 1, branches: tree.branches });
  });

  it("of lines that an earlier version wrote follow each other on one branch", async () => {
    const [session, ...lines] = await linesOf([message(1), message(2), message(3)]);
    const earlier = lines.map(({ parent_id: _parent, is_current: _current, ...line }) => line as MessageLine);
    expect(summaryOf(rowsOf([session, ...earlier]))).toEqual([
      ["1", null, true],
      ["2", "1", true],
      ["3", "2", true],
    ]);
  });

  it("have the number of tokens that came from the provider's cache", async () => {
    const usage = { input_tokens: 100, cached_input_tokens: 60, output_tokens: 4 };
    const rows = rowsOf(
      await linesOf([message(1, { usage }), message(2, { usage: { input_tokens: 9, output_tokens: 1 } })]),
    );
    expect(rows.map((row) => [row.input_tokens, row.cached_input_tokens])).toEqual([
      [100, 60],
      [9, null],
    ]);
  });

  it("have parts as JSON, and no content if the lake has none", async () => {
    const parts = [{ type: "reasoning" as const, text: "hm" }];
    const lines = await linesOf([message(1), message(2, { content: "", parts })]);
    expect(rowsOf(lines).map((row) => row.parts)).toEqual([null, JSON.stringify(parts)]);
    expect(rowsOf(lines, "none").map((row) => [row.content, row.parts])).toEqual([
      [null, null],
      [null, null],
    ]);
  });

  it("have no personal data if the lake is redacted, but the lengths of the messages", async () => {
    const said = "I am ann@example.com";
    const parts = [
      { type: "tool_call" as const, tool_call_id: "c", name: "send", input: { to: "ann@example.com", n: 1 } },
      { type: "text" as const, text: said },
    ];
    const more = { content: said, parts, name: "ann@example.com", metadata: { ip: "203.0.113.9", plan: "pro" } };
    const [row] = rowsOf(await linesOf([message(1, more)]), "redacted");
    expect(row).toMatchObject({ content: "I am [email]", name: "[email]", content_chars: said.length });
    expect(JSON.parse(row?.parts ?? "")).toEqual([
      { type: "tool_call", tool_call_id: "c", name: "send", input: { to: "[email]", n: 1 } },
      { type: "text", text: "I am [email]" },
    ]);
    expect(row?.metadata).toBe('{"ip":"[ip]","plan":"pro"}');
  });
});
