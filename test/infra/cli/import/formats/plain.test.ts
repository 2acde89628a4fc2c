import { expect, test } from "vitest";
import { readPlainRecord as readRecord } from "../../../../../infra/cli/import/formats/plain.ts";
import { source } from "../fixtures.ts";

const readPlainRecord = (record: Record<string, unknown>) => readRecord(record, source());

test("a record in the plain format can make its session incognito", () => {
  const messages = [{ role: "user", content: "secret" }];
  expect(readPlainRecord({ session: "s1", incognito: true, messages })).toMatchObject({ incognito: true });
  for (const incognito of [false, undefined]) {
    expect(readPlainRecord({ session: "s1", incognito, messages })).not.toHaveProperty("incognito");
  }
});

test("a record in the plain format keeps all fields of the API", () => {
  const conversation = readPlainRecord({
    source: "elsewhere",
    session: "s1",
    title: "Coffee",
    started_at: 1_700_000_000,
    messages: [
      { role: "user", text: "One mocha", ts: 1_700_000_001, name: "Ann", id: "m1", metadata: { lang: "en" } },
      { role: "assistant", content: "Right away", created_at: "2023-11-14T22:13:22Z" },
      {
        role: "user",
        content: [
          { type: "text", text: "See" },
          { type: "image_url", image_url: { url: "x" } },
        ],
      },
    ],
  });
  expect(conversation).toEqual({
    id: "s1",
    title: "Coffee",
    startedAt: 1_700_000_000_000,
    messages: [
      {
        role: "user",
        content: "One mocha",
        name: "Ann",
        at: 1_700_000_001_000,
        metadata: { source_id: "m1", lang: "en" },
      },
      { role: "assistant", content: "Right away", at: 1_700_000_002_000 },
      { role: "user", content: "See\n\n[image]" },
    ],
  });
});

test.each([
  ["no session", { messages: [] }, "missing session"],
  ["no messages", { session: "a" }, "missing messages"],
  ["a message that is none", { session: "a", messages: ["hi"] }, "messages[0]: not an object"],
  ["an unknown role", { session: "a", messages: [{ role: "bot", text: "" }] }, 'messages[0]: unknown role "bot"'],
  ["no role", { session: "a", messages: [{ text: "" }] }, "messages[0]: missing role"],
  ["no content", { session: "a", messages: [{ role: "user" }] }, "messages[0]: missing content"],
  ["a bad date", { session: "a", messages: [{ role: "user", text: "", ts: "?" }] }, "messages[0].ts: bad date"],
  ["a bad start", { session: "a", started_at: "?", messages: [] }, "started_at: bad date"],
  ["bad metadata", { session: "a", messages: [{ role: "user", text: "", metadata: 1 }] }, "messages[0].metadata: not"],
])("a record with %s is refused", (_, record, reason) => {
  expect(() => readPlainRecord(record)).toThrow(reason);
});
