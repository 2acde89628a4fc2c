import { LEXICAL_MODEL } from "./embedder.lexical.ts";
import { isForgotten, namesTooMany } from "./forgotten.ts";
import { createLayoutReader } from "./layout.ts";
import type { Memory, Recall, RecallQuery } from "./memory.ts";
import { periodsOf } from "./periods.ts";
import { type Ranked, rank } from "./rank.ts";
import { type Candidate, toMemory } from "./record.ts";
import type { MemoryDependencies } from "./remember.ts";
import type { SearchRequest } from "./store.ts";
import { termsOf } from "./terms.ts";

/** What the first stage hands to the second: as many as an index returns. */
const CANDIDATES = 100;

/**
 * Recalls in two stages: the index finds candidates by their vectors, then plain code ranks them by what terms they, their
 * neighbours and their session share with the query. An index may still hold what was deleted: that is left out by what the
 * summary says at this moment. Two sequential round trips.
 */
export function createRecall(deps: MemoryDependencies): Recall {
  const { memories, embedderOf, clock } = deps;
  const layoutNow = createLayoutReader(deps);
  return async (user, query) => {
    const [summary, { slot, space }] = await Promise.all([memories.summary(user), layoutNow()]);
    if (summary.statistics.memories === 0) return [];
    if (space.model === LEXICAL_MODEL && termsOf(query.text).length === 0) return [];
    const vector = await embedderOf(space).embedQuery(query.text, summary.statistics);
    const found = await search({ slot, vector, limit: CANDIDATES, session_id: query.session_id });
    const candidates = found
      .filter(({ candidate }) => !isForgotten(summary, candidate) && isWithin(candidate, query))
      .map(({ candidate, similarity }) => ({
        candidate,
        similarity: space.model === LEXICAL_MODEL ? undefined : similarity,
      }));
    const { text, limit } = query;
    const best = rank({ text, statistics: summary.statistics, candidates, now: clock(), limit });
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

/** What recalls where memory is off. */
export const recallNothing: Recall = async () => [];

const toScored = ({ candidate, score }: Ranked): Memory => toMemory(candidate, score);

/** Whether something was said in the range of time that is asked for. */
export const isWithin = ({ created_at }: Pick<Memory, "created_at">, { from, to }: RecallQuery): boolean =>
  (from === undefined || created_at >= from) && (to === undefined || created_at < to);
