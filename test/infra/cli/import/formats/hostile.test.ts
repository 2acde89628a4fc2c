import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadRecord } from "../../../../../infra/cli/import/conversation.ts";
import { joinRecords } from "../../../../../infra/cli/import/formats/join-records.ts";
import { importFiles } from "../../../../../infra/cli/import/import-files.ts";
import { planSession } from "../../../../../infra/cli/import/plan-session.ts";
import { readRecords } from "../../../../../infra/cli/import/read/read-records.ts";
import { appendMessagesSchema, createSessionSchema } from "../../../../../shared/session/schema.ts";
import { entryOf, source } from "../fixtures.ts";
import { createScratch } from "../scratch.ts";

/** The conversations of a file: their plans, or the reasons why there are none. Any error but a `BadRecord` is thrown. */
async function plansIn(content: string) {
  const found: (ReturnType<typeof planSession> | string)[] = [];
  for await (const { content: piece } of joinRecords(readRecords(entryOf("x", content).open, () => undefined))) {
    if ("problem" in piece) found.push(piece.problem);
    else {
      try {
        const conversation = piece.format.read(piece.records, source());
        found.push(conversation ? planSession(conversation) : "nothing");
      } catch (error) {
        if (!(error instanceof BadRecord)) throw error;
        found.push(error.message);
      }
    }
  }
  return found;
}

/** All names of fields that some format knows. */
const NAMES =
  "session id uuid _id conversation_id conversationId SessionId sessionId type title name header time created_at started_at createdAt timestamp create_time messages mapping chat_messages chat history History currentId current_node current_leaf_message_uuid head_id message parent parentId parentMessageId parent_message_uuid parent_id children author role sender content content_type parts text thoughts recipient metadata attachments files file data url output tool_calls tool_call function arguments args input call_id tool_call_id additional_kwargs usage model usage_metadata thinking summaries citations details extracted_content file_name asset_pointer safeHtmlItem html products pinned meta tags isCreatedByUser messageId tools weight $oid $date a b c".split(
    " ",
  );
const WORDS =
  "a b c user assistant tool system human ai all python text code thoughts multimodal_text tool_use tool_result thinking image_url data:image/png;base64,AA== message session Gemini|Prompted|Prompted hi|2024-01-01T00:00:00Z|1e400|{}|[1]|\ud800".split(
    /[ |]/,
  );

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthSize: "large" },
    fc.constantFrom(...WORDS),
    fc.constantFrom(null, true, 0, -1, 1.5, 1_700_000_000, 1e300),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("value"), { maxKeys: 6 }),
  ),
})).value;

/** Records with the field that makes a format recognise them. */
const record = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 6 }),
    fc.constantFrom(
      "mapping",
      "chat_messages",
      "messages",
      "session",
      "chat",
      "History",
      "conversationId",
      "safeHtmlItem",
      "_id",
      "type",
    ),
    fc.oneof(
      fc.array(fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 8 }), { maxLength: 4 }),
      fc.dictionary(
        fc.constantFrom("a", "b", "c", "history"),
        fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 8 }),
        { maxKeys: 4 },
      ),
      value,
    ),
  )
  .map(([fields, name, inner]) => ({ id: "x", conversationId: "y", ...fields, [name]: inner }));

test("a record of any shape either gives a plan that the API accepts, or is a bad record", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 3 }), async (records) => {
      for (const plan of await plansIn(JSON.stringify(records))) {
        if (typeof plan === "string") expect(plan).not.toBe("");
        else {
          expect(createSessionSchema.safeParse(plan.session).success).toBe(true);
          for (const message of plan.messages) expect(appendMessagesSchema.safeParse(message).success).toBe(true);
        }
      }
    }),
    { numRuns: 1500 },
  );
});

test.each([
  [
    "an array",
    (deep: string) =>
      `[{"session":"a","messages":[{"role":"user","parts":[{"type":"data","name":"x","data":${deep}}]}]}]`,
  ],
  ["a document of MongoDB", (deep: string) => `{"_id":"a","messages":[],"x":${deep}}`],
  [
    "a tool of ChatGPT",
    (deep: string) =>
      `{"id":"a","mapping":{"m":{"message":{"author":{"role":"assistant"},"recipient":"x","content":{"text":${JSON.stringify(deep)}}}}}}`,
  ],
  ["a line for fine-tuning", (deep: string) => `{"messages":[{"role":"user","content":[{"type":"x","y":${deep}}]}]}`],
])("%s that is nested 200,000 levels deep is a bad record, and the next one is read", async (_, wrap) => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  const text = wrap(deep);
  const isArray = text.startsWith("[");
  const next = '{"session":"next","messages":[]}';
  const file = createScratch().write("deep", isArray ? `${text.slice(0, -1)},${next}]` : `${next}\n${text}\n${next}`);
  const { imported, problems } = await importFiles({ files: [file], url: "", token: "", dryRun: true });
  expect([imported, problems.map(({ reason }) => reason)]).toEqual([isArray ? 1 : 2, ["nested too deeply"]]);
});

const turns = [
  { role: "user", content: "hi" },
  { role: "assistant", content: "hello" },
];
const chatgptNode = (role: string, text: string, parent: string | null) => ({
  parent,
  message: { author: { role }, content: { content_type: "text", parts: [text] } },
});
/** A file of each format with one conversation of two messages. */
const FILES: Record<string, string> = {
  "Memocha's export": [
    { type: "session", id: "a", title: null, created_at: "2026-01-01T00:00:00.000Z", metadata: {} },
    { type: "message", id: "m", parent_id: null, role: "user", content: "hi", created_at: "2026-01-01T00:00:00.000Z" },
    {
      type: "message",
      id: "n",
      parent_id: "m",
      role: "user",
      content: "hello",
      created_at: "2026-01-01T00:00:00.000Z",
    },
  ]
    .map((line) => JSON.stringify(line))
    .join("\n"),
  ChatGPT: JSON.stringify(
    [{ id: "a", mapping: { m: chatgptNode("user", "hi", null), n: chatgptNode("assistant", "hello", "m") } }],
    null,
    1,
  ),
  Claude: JSON.stringify(
    [
      {
        uuid: "a",
        chat_messages: [
          { uuid: "m", sender: "human", text: "hi" },
          { uuid: "n", sender: "assistant", text: "hello" },
        ],
      },
    ],
    null,
    1,
  ),
  LibreChat: JSON.stringify(
    {
      conversationId: "a",
      messages: [
        { messageId: "m", parentMessageId: null, isCreatedByUser: true, text: "hi" },
        { messageId: "n", parentMessageId: "m", isCreatedByUser: false, text: "hello" },
      ],
    },
    null,
    1,
  ),
  "Open WebUI": JSON.stringify([{ id: "a", chat: { messages: turns } }], null, 1),
  Gemini: JSON.stringify(
    [
      {
        header: "Gemini Apps",
        title: "Prompted hi",
        time: "2024-01-01T00:00:00Z",
        products: ["Gemini Apps"],
        safeHtmlItem: [{ html: "<p>hello</p>" }],
      },
    ],
    null,
    1,
  ),
  MongoDB: JSON.stringify({ _id: "a", sessionId: "a", messages: turns }),
  "Memocha's lines": JSON.stringify({ session: "a", messages: turns }),
  "fine-tuning": JSON.stringify({ messages: turns }),
};

describe.each(Object.entries(FILES))("a file of %s", (_format, text) => {
  const dryRun = async (content: string | Buffer) => {
    const file = createScratch().write("conversations.json", content);
    const { imported, messages, problems } = await importFiles({ files: [file], url: "", token: "", dryRun: true });
    return { imported, messages, reasons: problems.map(({ reason }) => reason) };
  };

  test("is read with a byte order mark and with CRLF", async () => {
    const whole = { imported: 1, messages: 2, reasons: [] };
    expect(await dryRun(`\ufeff${text}`)).toEqual(whole);
    expect(await dryRun(text.replaceAll("\n", "\r\n"))).toEqual(whole);
  });

  test("is not imported when it is cut off within a message or is not UTF-8, and the reason says so", async () => {
    const cut = await dryRun(text.slice(0, text.indexOf("hello") + 2));
    expect([cut.imported, cut.reasons.at(-1)]).toEqual([
      0,
      expect.stringMatching(/cut off|^invalid JSON: Unterminated/),
    ]);
    const broken = await dryRun(Buffer.from(text.replace("hello", "hell\u00f6"), "latin1"));
    expect([broken.imported, broken.reasons.at(-1)]).toEqual([0, "not valid UTF-8"]);
  });
});
