import { describe, expect, it } from "vitest";
import { acceptsEvents, matchesEtag } from "../../../shared/http/headers.ts";

describe("a list of ETags", () => {
  it.each(["*", " * ", '"1"', 'W/"1"', '"0", "1"', '"0","1","2"', ' "1" '])(
    "that holds this one matches: %j",
    (list) => {
      expect(matchesEtag(list, '"1"')).toBe(true);
    },
  );

  it.each(["", '""', '"11"', '"0"', '"0", "2"', "1", '"1', '1"', '"1" "2"', "**", 'w/"1"'])(
    "that holds others does not: %j",
    (list) => {
      expect(matchesEtag(list, '"1"')).toBe(false);
    },
  );
});

it.each([
  [undefined, false],
  ["", false],
  ["*/*", false],
  ["application/json", false],
  ["application/json, text/event-stream", false],
  ["text/event-stream", true],
  ["TEXT/Event-Stream; q=0.9", true],
  ["text/html, text/event-stream, application/json", true],
])("the header Accept: %s asks for server-sent events: %s", (accept, expected) => {
  expect(acceptsEvents(accept)).toBe(expected);
});
