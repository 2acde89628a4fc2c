import { expect, test } from "vitest";
import { fromExtendedJson, mongodb } from "../../../../../infra/cli/import/formats/mongodb.ts";
import { source } from "../fixtures.ts";

test("extended JSON becomes plain JSON", () => {
  expect(
    fromExtendedJson({
      _id: { $oid: "66326f3f04bed94b7f5be68d" },
      at: { $date: "2024-05-01T16:35:11.530Z" },
      old: { $date: { $numberLong: "1714581311530" } },
      n: [{ $numberInt: "5" }, { $numberLong: "6" }, { $numberDouble: "1.5" }, { $numberDecimal: "2.5" }],
      id: { $uuid: "9501f99d-9bbb-40cb-bbb2-16d79aeceb72" },
      kept: { $binary: { base64: "QQ==", subType: "00" } },
      money: { $usd: 1, eur: 2 },
    }),
  ).toEqual({
    _id: "66326f3f04bed94b7f5be68d",
    at: "2024-05-01T16:35:11.530Z",
    old: 1_714_581_311_530,
    n: [5, 6, 1.5, 2.5],
    id: "9501f99d-9bbb-40cb-bbb2-16d79aeceb72",
    kept: { $binary: { base64: "QQ==", subType: "00" } },
    money: { $usd: 1, eur: 2 },
  });
});

test("a document of MongoDB is read when its fields have other common names", () => {
  const record = {
    _id: { $oid: "66326f3f04bed94b7f5be68d" },
    userId: "ann",
    title: "Coffee",
    createdAt: { $date: "2024-05-01T16:35:11.530Z" },
    messages: [
      { sender: "Human", text: "One mocha", timestamp: 1_714_581_312_000, _id: "m1" },
      { role: "bot", content: "Right away", metadata: { lang: "en" } },
    ],
  };
  expect(mongodb.recognises(record)).toBe(true);
  expect(mongodb.read([record], source())).toEqual({
    id: "66326f3f04bed94b7f5be68d",
    title: "Coffee",
    startedAt: Date.parse("2024-05-01T16:35:11.530Z"),
    messages: [
      { role: "user", content: "One mocha", at: 1_714_581_312_000, metadata: { source_id: "m1" } },
      { role: "assistant", content: "Right away", metadata: { lang: "en" } },
    ],
  });
  expect(mongodb.read([{ ...record, sessionId: "s1" }], source())!.id).toBe("s1");
});

test.each([
  [{ _id: "a", messages: "x" }, "messages: not an array"],
  [{ _id: { x: 1 }, messages: [] }, "missing session"],
  [{ _id: "a", messages: [5] }, "messages[0]: not an object"],
  [{ _id: "a", messages: [{ role: "robot", text: "x" }] }, 'messages[0]: unknown role "robot"'],
])("a document is refused: %j", (record, reason) => {
  expect(() => mongodb.read([record], source())).toThrow(reason);
});
