import type { Span } from "./blobs.ts";
import { S3Error } from "./error.ts";

/**
 * The bytes that a `Range` header asks for; `undefined` = all of them, as S3 answers to several ranges or to what it
 * cannot read. Throws InvalidRange when none of them is there.
 */
export function readRange(header: string | undefined, size: number): Span | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const to = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  if (from >= size) {
    throw new S3Error("InvalidRange", "The requested range is not satisfiable", {
      elements: { RangeRequested: header ?? "", ActualObjectSize: String(size) },
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return { from, to };
}
