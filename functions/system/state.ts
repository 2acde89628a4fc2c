import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { systemOperations } from "../../shared/http/operations/system-operations.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import { createProviderStore } from "../../shared/llm/providers.dynamodb.ts";
import { providersOf } from "../../shared/llm/targets.ts";
import { createDeadLetters } from "../../shared/metrics/dead-letters.aws.ts";
import { createJobBook } from "../../shared/metrics/job-book.ts";
import { readState, type StatePorts } from "../../shared/metrics/read-state.ts";
import { createSessionStore } from "../../shared/session/session-store.dynamodb.ts";
import { clock, lazyHandler, openHttp, openMetricsTable, openTable } from "../compose.ts";

/** GET /v1/state */
export function createGetState(deps: HttpDependencies & StatePorts) {
  return createHttpHandler(systemOperations.getState, deps, async () => ({ status: 200, body: await readState(deps) }));
}

export const handler = lazyHandler((config) => {
  const table = openTable(config);
  return createGetState({
    ...openHttp(config),
    book: createJobBook(openMetricsTable(config), clock),
    sessions: createSessionStore(table),
    changes: createChangedDays(table),
    store: createProviderStore(table),
    providers: providersOf(config.CHAT_BASE_URL || config.OPENAI_BASE_URL, config.CHAT_FALLBACKS),
    deadLetters: createDeadLetters(config.DEAD_LETTERS_URL),
  });
});
