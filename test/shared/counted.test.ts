import { expect, it } from "vitest";
import { counted } from "../../shared/counted.ts";

it.each([
  [0, "0 sessions"],
  [1, "1 session"],
  [2, "2 sessions"],
  [1234, "1,234 sessions"],
])("%d is shown as %s", (count, text) => {
  expect(counted(count, "session")).toBe(text);
});

it("a noun may have a plural of its own", () => {
  expect([counted(1, "memory", "memories"), counted(2, "memory", "memories")]).toEqual(["1 memory", "2 memories"]);
});
