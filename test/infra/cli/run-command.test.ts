import { expect, test } from "vitest";
import { readInteger, UsageError } from "../../../infra/cli/run-command.ts";

test("a whole number is read, and a missing one stays undefined", () => {
  expect([readInteger("0", "--port", 0, 9), readInteger("9", "--port", 0, 9)]).toEqual([0, 9]);
  expect(readInteger(undefined, "--port", 0, 9)).toBeUndefined();
});

test.each(["-1", "10", "1.5", "x", "", "1e0"])("%j is refused with a message that names the option", (text) => {
  const read = () => readInteger(text, "--port", 0, 9);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(`--port must be a whole number from 0 to 9, not "${text}"`);
});
