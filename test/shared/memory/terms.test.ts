import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { periodsOf } from "../../../shared/memory/periods.ts";
import { noStatistics, rarityOf, withMemories } from "../../../shared/memory/statistics.ts";
import { countTerms, isCourtesy, termsOf } from "../../../shared/memory/terms.ts";

describe("terms", () => {
  it("are stemmed words without accents", () => {
    expect(termsOf("The dogs weren't barking, Zoë!")).toEqual(["dog", "bark", "zoe"]);
    expect(termsOf("allergic")).toEqual(termsOf("allergies"));
  });

  it("are pairs of characters in scripts without spaces", () => {
    expect(termsOf("東京都 is big")).toEqual(["東京", "京都", "big"]);
    expect(termsOf("猫")).toEqual(["猫"]);
  });

  it("of greetings, thanks and stock phrases alone make a courtesy", () => {
    expect(isCourtesy("Hi! Thanks a lot, see you :)")).toBe(true);
    expect(isCourtesy("👋")).toBe(true);
    expect(isCourtesy("Thanks, the valve fits.")).toBe(false);
  });
});

describe("term statistics", () => {
  const memories = fc.array(
    fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f")).map((terms) => ({ counts: countTerms(terms) })),
  );

  it("are the same for any order of additions and removals", () => {
    fc.assert(
      fc.property(memories, memories, (stay, go) => {
        const all = withMemories(noStatistics(), [...stay, ...go], 1);
        expect(withMemories(all, go, -1)).toEqual(withMemories(noStatistics(), stay.toReversed(), 1));
      }),
    );
  });

  it("fit into one read unit", () => {
    expect(noStatistics().frequencies.byteLength).toBeLessThan(4096 - 400);
  });

  it("never fall below zero, and stay at the highest count", () => {
    const dog = countTerms(["dog"]);
    const out = withMemories(noStatistics(), [{ counts: dog }], -1);
    expect(out).toEqual(noStatistics());
    const many = (count: number) => Array.from({ length: count }, () => ({ counts: dog }));
    const full = withMemories(noStatistics(), many(0xffff + 5), 1);
    expect(Math.max(...full.frequencies)).toBe(0xff);
    expect(withMemories(full, many(100), -1).frequencies).toEqual(full.frequencies);
    expect(withMemories(full, many(1), 1).frequencies).toEqual(full.frequencies);
  });

  it("give no negative rarity when terms share a bucket", () => {
    const shared = withMemories(
      noStatistics(),
      Array.from({ length: 3 }, () => ({ counts: countTerms(["dog"]) })),
      1,
    );
    // More memories were counted in this bucket than there are memories.
    expect(rarityOf({ ...shared, memories: 2 }, "dog")).toBe(
      rarityOf({ ...shared, memories: 2, frequencies: shared.frequencies }, "dog"),
    );
    expect(rarityOf({ ...shared, memories: 2 }, "dog")).toBeCloseTo(Math.log(1 + 0.5 / 2.5), 10);
  });

  it("give a higher rarity to terms of fewer memories", () => {
    const said = ["dog", "dog bone", "dog cat", "dog"].map((text) => ({
      counts: countTerms(termsOf(text)),
    }));
    const statistics = withMemories(noStatistics(), said, 1);
    expect(rarityOf(statistics, "bone")).toBeGreaterThan(rarityOf(statistics, "dog"));
    expect(rarityOf(statistics, "unheard")).toBeGreaterThan(rarityOf(statistics, "bone"));
  });
});

describe("periods", () => {
  const instant = fc
    .date({ min: new Date("1970-01-01"), max: new Date("9998-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString());

  it("cover every instant of a range with few searches", () => {
    fc.assert(
      fc.property(instant, instant, instant, (a, b, c) => {
        const [from = "", at = "", to = ""] = [a, b, c].sort();
        fc.pre(at < to);
        const periods = periodsOf({ from, to }, Date.now());
        expect(periods.length).toBeLessThanOrEqual(6);
        expect(periods.some((period) => period === undefined || at.startsWith(period))).toBe(true);
      }),
    );
  });

  it("are months for short ranges and years for long ones", () => {
    const range = (from: string, to: string) =>
      periodsOf({ from: `${from}T00:00:00.000Z`, to: `${to}T00:00:00.000Z` }, 0);
    expect(range("2023-11-30", "2024-02-01")).toEqual(["2023-11", "2023-12", "2024-01"]);
    expect(range("2020-05-01", "2022-01-02")).toEqual(["2020", "2021", "2022"]);
    expect(range("2000-01-01", "2022-01-01")).toEqual([undefined]);
    expect(periodsOf({}, 0)).toEqual([undefined]);
  });
});
