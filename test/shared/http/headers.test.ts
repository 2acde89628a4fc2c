import { describe, expect, it } from "vitest";
import { matchesEtag } from "../../../shared/http/headers.ts";

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
