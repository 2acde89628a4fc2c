import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";

const DOCS = path.resolve(import.meta.dirname, "../../docs");

/** Expects a page of docs/ to have this text between two markers. With UPDATE_README=1, writes it there. */
export function expectPart(page: string, marker: string, text: string): void {
  const file = path.join(DOCS, page);
  const pattern = new RegExp(`<!-- ${marker} -->\\n[\\s\\S]*?<!-- /${marker} -->`);
  const part = `<!-- ${marker} -->\n${text}<!-- /${marker} -->`;
  const written = readFileSync(file, "utf8");
  if (process.env.UPDATE_README) {
    writeFileSync(
      file,
      written.replace(pattern, () => part),
    );
  } else expect(pattern.exec(written)?.[0]).toBe(part);
}
