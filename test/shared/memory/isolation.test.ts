import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createListMemories } from "../../../functions/memories/list.ts";
import { createSearchMemories } from "../../../functions/memories/search.ts";
import { createSearch } from "../../../shared/memory/recall.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

let engines: Engines;
let world: MemoryWorld;

beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
});
afterAll(() => engines.close());

// Names that are prefixes of each other, or contain the separators of keys.
const user = fc.constantFrom("a", "a#S", "a#S#s1", "A", "a%23S", "ab", "b", "b c", "é", "U#a");
const session = fc.constantFrom("s1", "s2", "S", "1");
const word = fc.constantFrom("glacier", "peanut", "violin", "harbour", "lantern");

it("a search never returns memories of another user", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ user, session, words: fc.array(word, { minLength: 1, maxLength: 3 }) }), {
        minLength: 2,
        maxLength: 8,
      }),
      word,
      async (said, query) => {
        for (const { user, session, words } of said) {
          await world.say(user, session, `${words.join(" ")} of ${JSON.stringify(user)}`);
          await world.deliver(user, session);
        }
        for (const { user } of said) {
          const mine = (content: string) => expect(content).toContain(`of ${JSON.stringify(user)}`);
          const results = await search(user, query);
          results.forEach(mine);
          const listed = await list(user);
          expect(listed.length).toBeGreaterThan(0);
          listed.forEach(mine);
        }
      },
    ),
    { numRuns: 6 },
  );
});

async function search(user: string, query: string): Promise<string[]> {
  const handler = createSearchMemories({ ...world.deps, corsOrigins: [], recall: createSearch(world.deps) });
  return contents(await handler(event("POST", user, { query, limit: 50 }), context));
}

async function list(user: string): Promise<string[]> {
  const handler = createListMemories({ clock: Date.now, corsOrigins: [], memories: world.memories });
  return contents(await handler(event("GET", user), context));
}

function contents({ statusCode, body }: { statusCode: number; body: string }): string[] {
  expect(statusCode).toBe(200);
  return (JSON.parse(body) as { data: { content: string }[] }).data.map(({ content }) => content);
}

const context = { getRemainingTimeInMillis: () => 10_000 } as never;

const event = (httpMethod: string, sub: string, body?: object) =>
  ({
    httpMethod,
    path: "/v1/memories",
    headers: { "content-type": "application/json" },
    queryStringParameters: httpMethod === "GET" ? { limit: "100" } : null,
    body: body ? JSON.stringify(body) : null,
    isBase64Encoded: false,
    requestContext: { requestId: "r", authorizer: { sub, exp: String(Math.floor(Date.now() / 1000) + 60) } },
  }) as never;
