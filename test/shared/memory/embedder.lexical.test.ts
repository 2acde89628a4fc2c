import { describe, expect, it } from "vitest";
import { createLexicalEmbedder } from "../../../shared/memory/embedder.lexical.ts";
import { crowdOf, noStatistics, withMemories } from "../../../shared/memory/statistics.ts";

/** With one dimension, all terms share it. With as many as there are buckets, these terms share none. */
const memories = [
  ["violin", "stairs"],
  ["violin", "attic"],
].map((terms) => ({ counts: new Map(terms.map((term) => [term, 1])) }));
const statistics = withMemories(noStatistics(), memories, 1);

describe("the terms of a user that share a dimension", () => {
  it("are counted per memory, without the term itself", () => {
    const crowd = crowdOf(statistics, 1);
    expect([crowd("violin"), crowd("attic"), crowd("lantern")]).toEqual([1, 1.5, 2]);
    expect(crowdOf(statistics, 1600)("violin")).toBe(0);
  });

  it("are estimated where a bucket does not tell the dimension", () => {
    // 1600 and 512 have the divisor 64: a bucket tells a group of eight dimensions, of which one is that of the term.
    expect(crowdOf(statistics, 64)("violin")).toBe(0.5);
    expect(crowdOf(statistics, 512)("violin")).toBe(0.5 / 8);
    expect(crowdOf(noStatistics(), 512)("violin")).toBe(0);
  });

  it("make a term weigh less in a query", async () => {
    const dimensions = 20;
    const others = Array.from({ length: 50 }, (_, n) => ({ counts: new Map([[`word${n}`, 1]]) }));
    const said = withMemories(statistics, others, 1);
    const crowd = crowdOf(said, dimensions);
    const terms = Array.from({ length: 100 }, (_, n) => `term${n}`).toSorted((a, b) => crowd(a) - crowd(b));
    const [free, crowded] = [terms[0]!, terms.at(-1)!];
    const vector = await createLexicalEmbedder(dimensions).embedQuery(`${free} ${crowded}`, said);
    const [large, small] = vector.map(Math.abs).toSorted((a, b) => b - a) as [number, number];
    expect(small / large).toBeCloseTo((1 + 10 * crowd(free)) / (1 + 10 * crowd(crowded)), 1);
    expect(small / large).toBeLessThan(0.7);
  });
});
