import { expect, test } from "vitest";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { conversations } from "../../../shared/dynamodb/tables.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../../shared/memory/embedder.lexical.ts";
import { createSessionMemories, forgetEverything } from "../../../shared/memory/forget.ts";
import { createMemoryStore } from "../../../shared/memory/memory-store.dynamodb.ts";
import { listMemories } from "../../../shared/memory/read-memories.ts";
import { type MemoryDependencies, remember } from "../../../shared/memory/remember.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { timeOrderedId } from "../../../shared/session/message.ts";
import { createSessionStore } from "../../../shared/session/session-store.dynamodb.ts";
import { createMemoryDynamoDB } from "../../support/memory-dynamodb/client.ts";
import { NOON } from "../../support/world.ts";

test("a message that is captured while everything is being forgotten is counted if it stays", async () => {
  let now = NOON;
  const clock = () => now;
  const table = createTable(createMemoryDynamoDB({ conversations }).client, "conversations");
  const memories = createMemoryStore(table, clock);
  const session = { user: "ann", id: "one" };
  const stores = { sessions: createSessionStore(table), memories: createSessionMemories(memories), clock };
  const record = await createSession(stores, "ann", { id: "one" }, { seed: "a seed", at: now }, 60);
  const deps: MemoryDependencies = {
    memories,
    embedderOf: ({ dimensions }) => createLexicalEmbedder(dimensions),
    firstLayout: { slot: "a", space: { model: LEXICAL_MODEL, dimensions: 8 } },
    clock,
  };
  let said = false;
  const meanwhile = {
    ...memories,
    async summary(user: string) {
      now += 1000;
      if (!said) {
        said = true;
        const id = timeOrderedId({ seed: "another seed", at: now }, 0);
        const message = {
          id,
          role: "user" as const,
          content: "I like oranges",
          created_at: new Date(now).toISOString(),
        };
        await remember(deps, "ann", [{ session, generation: record.generation, message }]);
        now += 1000;
      }
      return memories.summary(user);
    },
  };

  await forgetEverything({ memories: meanwhile, clock }, "ann", now + 60_000);

  const { records } = await listMemories(memories, "ann", { limit: 10 });
  expect((await memories.summary("ann")).statistics.memories).toBe(records.length);
});

test("a request to forget everything that resumes after its deadline forgets nothing", async () => {
  const table = createTable(createMemoryDynamoDB({ conversations }).client, "conversations");
  const clock = () => NOON + 60_000;
  const memories = createMemoryStore(table, clock);

  await expect(forgetEverything({ memories, clock }, "ann", NOON)).rejects.toMatchObject({ code: "unavailable" });

  expect((await memories.summary("ann")).forgottenBefore).toBe(0);
});
