import { describe, expect, it } from "vitest";
import type { Candidate } from "../../../shared/memory/memory.ts";
import { contextOf } from "../../../shared/memory/plan-memories.ts";
import { rank } from "../../../shared/memory/rank.ts";
import { noStatistics, type TermStatistics, withMemories } from "../../../shared/memory/statistics.ts";
import { countTerms, termsOf } from "../../../shared/memory/terms.ts";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const DAY = 86_400_000;

/** Of ten memories with 50 terms, one says "falcon" and eight say "garden". */
const statistics: TermStatistics = {
  ...withMemories(
    noStatistics(),
    Array.from({ length: 10 }, (_, n) => ({
      counts: countTerms([...(n === 0 ? ["falcon"] : []), ...(n < 8 ? ["garden"] : [])]),
    })),
    1,
  ),
  length: 50,
};

// BM25 by hand (Robertson & Zaragoza 2009) with k1 = 0.9 and b = 0.4.
const rarity = (frequency: number) => Math.log(1 + (10 - frequency + 0.5) / (frequency + 0.5));
const FALCON = rarity(1);
const saturated = (count: number, pivot: number) => (count * 1.9) / (count + 0.9 * pivot);
/** The length factor of a memory with this number of terms, with an average of five. */
const pivot = (terms: number) => 0.6 + (0.4 * terms) / 5;

interface Said extends Partial<Candidate> {
  session?: string;
  similarity?: number;
}

/** A memory with this text, without the terms of its speaker and date, which no query here contains. */
function candidate(turn: number, content: string, { session = "s", speaker = "ann", ...more }: Said = {}): Candidate {
  return {
    user_id: "u",
    id: `${session}-${turn}`,
    session_id: session,
    message_id: `message ${turn}`,
    role: "user",
    content,
    created_at: new Date(NOW).toISOString(),
    arrived: NOW,
    generation: 1,
    turn,
    counts: countTerms(termsOf(content)),
    speaker,
    asks: false,
    ...more,
  };
}

/** The scores of the results by id, in order. */
function scores(
  text: string,
  said: readonly (Candidate & { similarity?: number })[],
  limit = 100,
): Map<string, number> {
  const candidates = said.map((one) => ({ candidate: one, similarity: one.similarity }));
  const ranked = rank({ text, statistics, candidates, now: NOW, limit });
  return new Map(ranked.map(({ candidate: { id }, score }) => [id, score]));
}

/** Distinct words that no query here contains, so that no two memories are duplicates. */
const filler = (n: number) => `filler${String.fromCharCode(97 + n)} word${String.fromCharCode(97 + n)}`;

describe("the score of a memory", () => {
  it("grows with the rarity of a query term, and less with each occurrence", () => {
    const [own, session] = [FALCON * saturated(1, pivot(1)), FALCON * saturated(1, 1)];
    expect(scores("falcon", [candidate(0, "falcon")]).get("s-0")).toBeCloseTo(own + 0.2 * session, 10);
    const twice = FALCON * saturated(2, pivot(2)) + 0.2 * FALCON * saturated(2, 1);
    expect(scores("falcon", [candidate(0, "falcon falcon")]).get("s-0")).toBeCloseTo(twice, 10);
    const common = rarity(8) * saturated(1, pivot(1)) + 0.2 * rarity(8) * saturated(1, 1);
    expect(scores("garden", [candidate(0, "garden")]).get("s-0")).toBeCloseTo(common, 10);
    const both = [candidate(0, "garden", { session: "a" }), candidate(0, "falcon", { session: "b" })];
    expect([...scores("falcon garden", both).keys()]).toEqual(["b-0", "a-0"]);
  });

  it("is lower for a longer memory with the same terms", () => {
    const long = `falcon ${Array.from({ length: 9 }, (_, n) => `word${String.fromCharCode(97 + n)}`).join(" ")}`;
    const found = scores("falcon", [candidate(0, long, { session: "a" }), candidate(0, "falcon", { session: "b" })]);
    expect([...found.keys()]).toEqual(["b-0", "a-0"]);
    expect(found.get("a-0")).toBeCloseTo(FALCON * saturated(1, pivot(10)) + 0.2 * FALCON * saturated(1, 1), 10);
  });

  it("counts a repeated query term once", () => {
    const said = [candidate(0, "falcon")];
    expect(scores("falcon falcon Falcons", said)).toEqual(scores("falcon", said));
  });

  it("includes 0.2 of the score of each neighbour, 0.1 of those two away, and nothing of others", () => {
    const said = Array.from({ length: 9 }, (_, n) => candidate(n, n === 4 ? "falcon" : filler(n)));
    const found = scores("falcon", said);
    const own = FALCON * saturated(1, pivot(1));
    const session = 0.2 * FALCON * saturated(1, 1);
    const shares = [0, 0, 0.1, 0.2, 1, 0.2, 0.1, 0, 0];
    for (const [n, share] of shares.entries())
      expect(found.get(`s-${n}`), `turn ${n}`).toBeCloseTo(share * own + session, 10);
  });

  it("includes 0.5 of the score of the preceding turn, if another speaker asks a question there", () => {
    const own = FALCON * saturated(1, pivot(1));
    const session = 0.2 * FALCON * saturated(1, 1);
    const shareOf = (question: Said, at: number) => {
      const said = [candidate(5, "falcon", { speaker: "bob", ...question }), candidate(at, filler(1))];
      return (scores("falcon", said).get(`s-${at}`)! - session) / own;
    };
    expect(shareOf({ asks: true }, 6)).toBeCloseTo(0.5, 10);
    expect(shareOf({ asks: false }, 6)).toBeCloseTo(0.2, 10);
    expect(shareOf({ asks: true, speaker: "ann" }, 6)).toBeCloseTo(0.2, 10);
    // A turn does not answer a question after it, or two turns before it.
    expect(shareOf({ asks: true }, 4)).toBeCloseTo(0.2, 10);
    expect(shareOf({ asks: true }, 7)).toBeCloseTo(0.1, 10);
  });

  it("includes 0.2 of the score of all candidates of its session together, and nothing of other sessions", () => {
    const session = 0.2 * FALCON * saturated(3, 1);
    const far = [0, 10, 20].map((turn) => candidate(turn, `falcon ${filler(turn)}`));
    const found = scores("falcon", [...far, candidate(30, filler(25)), candidate(1, filler(2), { session: "other" })]);
    expect(found.get("s-30")).toBeCloseTo(session, 10);
    expect(found.has("other-1")).toBe(false);
  });

  it("loses up to 3 % with age, half of that in 180 days, and gains nothing from a date in the future", () => {
    const agedBy = (days: number) => {
      const created_at = new Date(NOW - days * DAY).toISOString();
      return scores("falcon", [candidate(0, "falcon", { created_at })]).get("s-0")!;
    };
    const fresh = FALCON * saturated(1, pivot(1)) + 0.2 * FALCON * saturated(1, 1);
    expect(agedBy(0)).toBeCloseTo(fresh, 10);
    expect(agedBy(180) / fresh).toBeCloseTo(0.97 + 0.03 / 2, 10);
    expect(agedBy(360) / fresh).toBeCloseTo(0.97 + 0.03 / 4, 10);
    expect(agedBy(36_000) / fresh).toBeCloseTo(0.97, 10);
    expect(agedBy(-1000)).toBeCloseTo(fresh, 10);
  });

  it("includes 10 times the similarity of a model, which neighbours share", () => {
    const said = [
      { ...candidate(0, filler(0)), similarity: 0.8 },
      { ...candidate(1, filler(1)), similarity: 0.1 },
    ];
    const found = scores("falcon", said);
    expect(found.get("s-0")).toBeCloseTo(8 + 0.2 * 1, 10);
    expect(found.get("s-1")).toBeCloseTo(1 + 0.2 * 8, 10);
  });
});

describe("the best memories", () => {
  it("are limited, sorted by score, and without those that share nothing with the query", () => {
    const said = Array.from({ length: 6 }, (_, n) =>
      candidate(0, `${"falcon ".repeat(n)}${filler(n)}`, { session: String.fromCharCode(97 + n) }),
    );
    expect([...scores("falcon", said).keys()]).toEqual(["f-0", "e-0", "d-0", "c-0", "b-0"]);
    expect([...scores("falcon", said, 2).keys()]).toEqual(["f-0", "e-0"]);
    expect(scores("unheard", said).size).toBe(0);
  });

  it("of the same score are sorted by time, newest first", () => {
    const said = ["b", "a", "c"].map((session, n) => candidate(0, `falcon ${filler(n)}`, { session }));
    expect([...scores("falcon", said).keys()]).toEqual(["c-0", "b-0", "a-0"]);
  });

  it("leave out repeats of a better one, whatever their speaker and date", () => {
    const said = (session: string, content: string, speaker: string, created_at: string) =>
      candidate(0, content, {
        session,
        speaker,
        created_at,
        counts: countTerms(termsOf(`${contextOf(speaker, created_at)}: ${content}`)),
      });
    const key = "The spare key of the falcon hangs behind the door";
    const found = scores("falcon", [
      said("a", key, "Ann", "2026-11-21T12:00:00.000Z"),
      said("b", key, "Maximilian", "2025-03-01T12:00:00.000Z"),
      // Five of eight terms in common.
      said("c", "The spare key of the falcon hangs around my neck since May", "Ann", "2026-11-21T12:00:00.000Z"),
    ]);
    expect([...found.keys()].sort()).toEqual(["a-0", "c-0"]);
    // The text also contains the terms of speaker and date, so they count.
    const dated = scores("falcon", [
      said("a", "falcon hatched 21 November 2026", "Ann", "2026-11-21T12:00:00.000Z"),
      said("b", "falcon hatched", "Ann", "2026-11-21T12:00:00.000Z"),
    ]);
    expect([...dated.keys()].sort()).toEqual(["a-0", "b-0"]);
  });

  it("keep two short ones with the same terms, because their meaning depends on the context", () => {
    const said = ["a", "b"].map((session) => candidate(0, "falcon yes", { session }));
    expect(scores("falcon", said).size).toBe(2);
    const longer = ["a", "b"].map((session) => candidate(0, "falcon nest tower", { session }));
    expect(scores("falcon", longer).size).toBe(1);
  });

  it("are repeats only if they share nine terms of ten", () => {
    const terms = Array.from({ length: 18 }, (_, n) => `term${String.fromCharCode(97 + n)}`);
    const said = (session: string, words: string[]) => candidate(0, ["falcon", ...words].join(" "), { session });
    const size = (other: string[]) => scores("falcon", [said("a", terms), said("b", other)]).size;
    // 18 of 19, and 18 of 20 = 0.9.
    expect(size(terms.slice(1))).toBe(1);
    expect(size([...terms.slice(1), "else"])).toBe(1);
    // 17 of 19 = 0.894.
    expect(size(terms.slice(2))).toBe(2);
  });

  it("are filled up with the next ones when repeats are left out", () => {
    const said = [
      candidate(0, "falcon nest tower", { session: "d" }),
      candidate(0, "falcon nest tower", { session: "c" }),
      candidate(0, "falcon wing broken", { session: "b" }),
    ];
    expect([...scores("falcon", said, 2).keys()]).toEqual(["d-0", "b-0"]);
  });
});
