import { expect, it } from "vitest";
import { parseStored } from "../../shared/parse-stored.ts";

it("an error about damaged JSON does not quote it, because errors are logged", () => {
  const said = `"My passport is blue"`;
  for (const text of [said.slice(1), `${said}x`, "", undefined, `{${said}`]) {
    expect(() => parseStored(text, "a message")).toThrow(/^a message is not JSON$/);
  }
  expect(parseStored(said, "a message")).toBe("My passport is blue");
});
