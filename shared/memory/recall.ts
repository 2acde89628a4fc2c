import type { Clock } from "../clock.ts";
import { LEXICAL_MODEL } from "./embedder.lexical.ts";
import { isForgotten, namesTooMany } from "./forgotten.ts";
import { createLayoutReader, type EmbedderOf } from "./layout.ts";
import { type BranchMemory, type Candidate, type Memory, type Recall, type RecallQuery, toMemory } from "./memory.ts";
import type { Layout, MemoryReader, SearchRequest } from "./memory-store.ts";
import { periodsOf } from "./periods.ts";
import { type Ranked, rank } from "./rank.ts";
import { listMemories } from "./read-memories.ts";
import { termsOf, wordsOf } from "./terms.ts";

/** Candidates of the first stage: as many as an index returns. */
const CANDIDATES = 100;

/** Newest memories of a user that are searched for a phrase of stop words, which no index holds. */
const LATEST = 100;

export interface RecallDependencies {
  memories: MemoryReader;
  embedderOf: EmbedderOf;
  /** The layout of a table that has no memories yet. */
  firstLayout: Layout;
  clock: Clock;
}

/**
 * Recalls memories for a prompt, in two stages: the index finds candidates by their vectors, then `rank` scores them by the terms
 * that they, their neighbours and their session share with the query. The summary tells which candidates are deleted although the
 * index still holds them. Two sequential round trips.
 */
export function createRecall(deps: RecallDependencies): Recall<BranchMemory> {
  const { memories, embedderOf, clock } = deps;
  const readLayout = createLayoutReader(deps);
  return async (user, query) => {
    const [summary, { slot, space }] = await Promise.all([memories.summary(user), readLayout()]);
    if (summary.statistics.memories === 0) return [];
    const isLexical = space.model === LEXICAL_MODEL;
    if (isLexical && termsOf(query.text).length === 0) return [];
    const vector = await embedderOf(space).embedQuery(query.text, summary.statistics);
    const found = await search({ slot, vector, limit: CANDIDATES, session_id: query.session_id });
    const candidates = found
      .filter(({ candidate }) => !isForgotten(summary, candidate) && isWithin(candidate, query))
      .map(({ candidate, similarity }) => ({ candidate, similarity: isLexical ? undefined : similarity }));
    const { text, limit } = query;
    const best = rank({ text, statistics: summary.statistics, candidates, now: clock(), limit });
    // Usually the summary names every session that was forgotten lately. If it may have dropped some, read the sessions.
    if (!namesTooMany(summary, clock())) return best.map(toScored);
    const living = new Set(await memories.ofLivingSessions(best.map(({ candidate }) => candidate)));
    return best.filter(({ candidate }) => living.has(candidate)).map(toScored);

    async function search(request: SearchRequest): Promise<{ candidate: Candidate; similarity: number }[]> {
      const searches = periodsOf(query, clock()).map((period) => memories.search(user, { ...request, period }));
      const found = (await Promise.all(searches)).flat();
      return [...new Map(found.map((entry) => [entry.candidate.id, entry])).values()];
    }
  };
}

/**
 * Recalls memories for a person who searches. Unlike in a prompt, a query of stop words alone ("The Who") finds the newest memories
 * that contain exactly these words in this order.
 */
export function createSearch(deps: RecallDependencies): Recall {
  const recall = createRecall(deps);
  return async (user, query) => {
    const found = await recall(user, query);
    if (found.length === 0 && termsOf(query.text).length === 0) return findPhrase(deps.memories, user, query);
    return found.map(({ branch: _, ...memory }) => memory);
  };
}

/** The recall of a deployment without memory. */
export const recallNothing: Recall = async () => [];

async function findPhrase(memories: MemoryReader, user: string, query: RecallQuery): Promise<Memory[]> {
  const phrase = phraseOf(query.text);
  if (phrase.trim() === "") return [];
  const matches = (memory: Memory) =>
    (query.session_id === undefined || memory.session_id === query.session_id) &&
    isWithin(memory, query) &&
    phraseOf(memory.content).includes(phrase);
  const { records } = await listMemories(memories, user, {
    limit: LATEST,
    select: (all) => all.filter(matches).slice(0, query.limit),
  });
  return records.map((record) => toMemory(record));
}

const phraseOf = (text: string): string => ` ${wordsOf(text).join(" ")} `;

function toScored({ candidate, score }: Ranked): BranchMemory {
  const { branch } = candidate;
  return { ...toMemory(candidate, score), ...(branch ? { branch } : {}) };
}

const isWithin = ({ created_at }: Pick<Memory, "created_at">, { from, to }: RecallQuery): boolean =>
  (from === undefined || created_at >= from) && (to === undefined || created_at < to);
