import type { Candidate } from "./memory.ts";
import { contextOf } from "./plan-memories.ts";
import { rarityOf, type TermStatistics } from "./statistics.ts";
import { countTerms, termsOf } from "./terms.ts";

/**
 * Weights of the score. `k1` and `b` are those of BM25, low because turns are short. The weights of neighbours and session are round
 * numbers from a coarse grid search on LoCoMo, kept small because higher ones made chats between people worse.
 */
const weights = {
  k1: 0.9,
  b: 0.4,
  /** Part of the score of the turns next to the candidate, and of those two away. */
  neighbour: 0.2,
  distant: 0.1,
  /** Part of the score of the preceding turn if another speaker asks a question there: the candidate is likely its answer. */
  question: 0.5,
  /** Part of the score of all candidates of the session together. */
  session: 0.2,
  /** Part of the score that does not decrease with age, and the days in which the rest halves. */
  ageless: 0.97,
  halfLife: 180,
  /** Weight of the cosine similarity of a model. The built-in embedding has none, because the terms contain the same. */
  similarity: 10,
} as const;

/** Two memories with this part of their terms in common are duplicates, if they have enough terms. */
const DUPLICATE = 0.9;
const MIN_TERMS = 3;

const DAY = 86_400_000;

export interface Ranked {
  candidate: Candidate;
  score: number;
}

interface RankRequest {
  text: string;
  statistics: TermStatistics;
  /** `similarity`: cosine similarity; `undefined` for the built-in embedding. */
  candidates: readonly { candidate: Candidate; similarity: number | undefined }[];
  /** Epoch milliseconds. */
  now: number;
  /** Results at most. */
  limit: number;
}

/**
 * Scores the candidates by the terms that they, their neighbours and their session share with the query. Returns the best first, without
 * near-duplicates and candidates that share nothing.
 */
export function rank({ text, statistics, candidates, now, limit }: RankRequest): Ranked[] {
  const query = [...countTerms(termsOf(text)).keys()].map((term) => ({ term, rarity: rarityOf(statistics, term) }));
  const averageLength = statistics.length / Math.max(1, statistics.memories) || 1;

  const own = new Map<Candidate, number>();
  const byTurn = new Map<string, Candidate>();
  const sessions = new Map<string, Map<string, number>>();
  for (const { candidate, similarity = 0 } of candidates) {
    const { counts, session_id } = candidate;
    const pivot = 1 - weights.b + (weights.b * lengthOf(counts)) / averageLength;
    own.set(
      candidate,
      sum(query, ({ term, rarity }) => rarity * saturated(counts.get(term) ?? 0, pivot)) +
        weights.similarity * similarity,
    );
    byTurn.set(placeOf(candidate, 0), candidate);
    const said = sessions.get(session_id) ?? new Map<string, number>();
    for (const { term } of query) said.set(term, (said.get(term) ?? 0) + (counts.get(term) ?? 0));
    sessions.set(session_id, said);
  }

  const shared = new Map(
    [...sessions].map(([id, said]) => [
      id,
      sum(query, ({ term, rarity }) => rarity * saturated(said.get(term) ?? 0, 1)),
    ]),
  );
  const neighbour = (candidate: Candidate, distance: number): number => {
    const other = byTurn.get(placeOf(candidate, distance));
    if (!other) return 0;
    const isAnswer = distance === -1 && other.asks && other.speaker !== candidate.speaker;
    const near = isAnswer ? weights.question : weights.neighbour;
    return (own.get(other) ?? 0) * (Math.abs(distance) === 1 ? near : weights.distant);
  };

  const ranked = candidates.map(({ candidate }) => {
    const relevance =
      (own.get(candidate) ?? 0) +
      sum([-2, -1, 1, 2], (distance) => neighbour(candidate, distance)) +
      weights.session * (shared.get(candidate.session_id) ?? 0);
    return { candidate, score: relevance * freshness(candidate, now) };
  });
  const best = ranked
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.candidate.id < b.candidate.id ? 1 : -1));
  return withoutRepeats(best, limit);
}

const placeOf = ({ session_id, turn }: Candidate, distance: number): string => `${turn + distance} ${session_id}`;

const saturated = (count: number, pivot: number): number => (count * (weights.k1 + 1)) / (count + weights.k1 * pivot);

function freshness({ created_at }: Candidate, now: number): number {
  const days = Math.max(0, now - Date.parse(created_at)) / DAY;
  return weights.ageless + (1 - weights.ageless) * 0.5 ** (days / weights.halfLife);
}

/** The best results, without those that repeat a better one, whatever their speaker and date. */
function withoutRepeats(ranked: readonly Ranked[], limit: number): Ranked[] {
  const kept: Ranked[] = [];
  const said: Set<string>[] = [];
  const contexts = new Map<string, string[]>();
  for (const entry of ranked) {
    if (kept.length === limit) break;
    const terms = saidIn(entry.candidate, contexts);
    if (said.some((other) => isRepeat(other, terms))) continue;
    kept.push(entry);
    said.push(terms);
  }
  return kept;
}

/** The terms of a memory, without those of its speaker and date, which `contexts` keeps. */
function saidIn({ counts, speaker, created_at }: Candidate, contexts: Map<string, string[]>): Set<string> {
  const context = contextOf(speaker, created_at);
  const terms = contexts.get(context) ?? termsOf(context);
  contexts.set(context, terms);
  const left = new Map(counts);
  for (const term of terms) left.set(term, (left.get(term) ?? 0) - 1);
  return new Set([...left].flatMap(([term, count]) => (count > 0 ? [term] : [])));
}

function isRepeat(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  // Sets of sizes m <= n share at most m / n: most pairs end here.
  if (small.size < MIN_TERMS || small.size < DUPLICATE * large.size) return false;
  const common = [...small].filter((term) => large.has(term)).length;
  return common >= DUPLICATE * (small.size + large.size - common);
}

const lengthOf = (counts: ReadonlyMap<string, number>): number => sum([...counts.values()], (count) => count);

const sum = <T>(all: readonly T[], value: (one: T) => number): number =>
  all.reduce((total, one) => total + value(one), 0);
