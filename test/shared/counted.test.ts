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
