import type { Memory, Recall, RecallQuery } from "./memory.ts";
import { createRecall, isWithin } from "./recall.ts";
import { toMemory } from "./record.ts";
import type { MemoryDependencies } from "./remember.ts";
import { termsOf, wordsOf } from "./terms.ts";

/** Memories of a user, the latest, that are looked through for words which nothing is indexed by. */
const LATEST = 100;

/**
 * Recalls for somebody who asks. A query of stop words alone ("The Who") is about nothing that terms could tell: it finds the
 * latest memories in which just these words stand, one after the other. For prompts nobody asks, and what they recall leaves that out.
 */
export function createSearch(deps: MemoryDependencies): Recall {
  const recall = createRecall(deps);
  return async (user, query) => {
    const found = await recall(user, query);
    return found.length > 0 || termsOf(query.text).length > 0 ? found : findWords(deps, user, query);
  };
}

async function findWords({ memories }: MemoryDependencies, user: string, query: RecallQuery): Promise<Memory[]> {
  const words = phraseOf(query.text);
  if (words.trim() === "") return [];
  const [{ forgottenBefore }, { records }] = await Promise.all([
    memories.summary(user),
    memories.list(user, { limit: LATEST }),
  ]);
  const said = records
    .filter(({ session_id }) => query.session_id === undefined || session_id === query.session_id)
    .filter((record) => record.arrived >= forgottenBefore && isWithin(record, query))
    .filter(({ content }) => phraseOf(content).includes(words))
    .slice(0, query.limit);
  // The index may still hold what was deleted a moment ago.
  const there = await memories.find(said.map(({ session_id, id }) => ({ session: { user, id: session_id }, id })));
  const ids = new Set(there.map(({ id }) => id));
  return said.filter(({ id }) => ids.has(id)).map((record) => toMemory(record));
}

const phraseOf = (text: string): string => ` ${wordsOf(text).join(" ")} `;
