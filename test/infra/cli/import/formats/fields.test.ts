import { describe, expect, test } from "vitest";
import { readInstant } from "../../../../../infra/cli/import/formats/fields.ts";

const AT = Date.UTC(2023, 10, 14, 22, 13, 20);

describe("a time of the source", () => {
  test.each([
    ["epoch seconds", 1_700_000_000, AT],
    ["epoch seconds with a fraction", 1_700_000_000.1234, AT + 123],
    ["epoch milliseconds", 1_700_000_000_000, AT],
    ["epoch seconds as text", "1700000000", AT],
    ["ISO 8601", "2023-11-14T22:13:20.000Z", AT],
    ["ISO 8601 with an offset", "2023-11-14T23:13:20+01:00", AT],
    ["a short offset", "2023-11-14T23:13:20+01", AT],
    ["Python's notation", "2023-11-14 22:13:20.123456+00:00", AT + 123],
    ["no offset: UTC", "2023-11-14T22:13:20", AT],
    ["a day alone", "2023-11-14", Date.UTC(2023, 10, 14)],
    ["the epoch", 0, 0],
  ])("%s", (_, value, at) => {
    expect(readInstant(value, "ts")).toBe(at);
  });

  test.each([undefined, null, ""])("%s is no time", (value) => {
    expect(readInstant(value, "ts")).toBeUndefined();
  });

  test.each(["yesterday", "14/11/2023", "2023-02-30", "2023-13-01", "2023-11-14T25:00:00Z", -1, 1.7e18, {}, true])(
    "%s is a bad date, and the error names the field",
    (value) => {
      expect(() => readInstant(value, "messages[3].ts")).toThrow(/^messages\[3\]\.ts: bad date/);
    },
  );
});
