import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namedQueries } from "../../../infra/lake/queries.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import type { MessageRecord } from "../../../shared/session/message.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake.ts";
import { NOON } from "../../support/world.ts";

const DAY = 86_400_000;
/** Noon of today: the queries ask for the last 30 days. */
const today = Math.floor(Date.now() / DAY) * DAY + DAY / 2;

/** Who spoke how many days ago, how many messages in turn with the assistant. */
const spoken = [
  { user: "ann", ago: 20, messages: 4 },
  { user: "ann", ago: 12, messages: 2 },
  { user: "ann", ago: 3, messages: 7 },
  { user: "bob", ago: 20, messages: 1 },
  { user: "bob", ago: 20, messages: 10 },
  { user: "cat", ago: 12, messages: 3 },
  { user: "dan", ago: 45, messages: 5 },
].map((each, n) => ({ ...each, id: `session-${n}` }));

let engines: Engines;
let lake: LakeWorld;
/** What the API answers of each session and its messages. */
let seen: { user: string; day: string; count: number; seconds: number; messages: MessageRecord[]; id: string }[];

beforeAll(async () => {
  engines = await startEngines();
  lake = await createLakeWorld(engines);
  const { world } = lake;
  world.advance(today - NOON);
  for (const { user, id, ago, messages } of spoken) {
    const begun = today - ago * DAY;
    const request = { seed: `create ${id}`, at: today };
    const created_at = new Date(begun).toISOString();
    await createSession(world.stores, user, { id, ttl_seconds: 60, created_at }, request, 60);
    for (let n = 0; n < messages; n++) {
      const at = new Date(begun + n * 90_000).toISOString();
      const input = { role: "user" as const, content: `Question ${n} of ${user}: a REFUND?`, created_at: at };
      if (n % 2 === 0) await appendMessages(world.stores, { user, id }, [input], { seed: `${id} ${n}`, at: today });
      else await answer(user, id, n, at);
    }
  }
  world.advance(61_000);
  for (const { user, id } of spoken) {
    await world.archiveJob({ Records: [(await world.sweep(user, id))!] });
  }
  await lake.deliver();
  expect(await lake.build()).toMatchObject({ failed: 0 });

  seen = await Promise.all(
    spoken.map(async ({ user, id }) => {
      const session = await showSession(world.stores, { user, id });
      const { messages } = await listMessages(world.stores, { user, id }, { order: "asc", limit: 100 });
      const seconds = (Date.parse(messages.at(-1)!.created_at) - Date.parse(messages[0]!.created_at)) / 1000;
      return { user, id, day: session.created_at.slice(0, 10), count: session.message_count, seconds, messages };
    }),
  );
});
afterAll(async () => {
  lake.close();
  await engines.close();
});

const MODELS = ["gpt-4o-mini", "llama-at-home"] as const;

/** Stores an answer of a model as a chat turn does: 100 tokens in and 10 out for each message before it. */
async function answer(user: string, id: string, n: number, created_at: string): Promise<void> {
  const { stores } = lake.world;
  const message: MessageRecord = {
    id: `answer-${n}`,
    role: "assistant",
    content: `Answer ${n}`,
    created_at,
    model: MODELS[n % 4 === 1 ? 0 : 1],
    usage: { input_tokens: 100 * n, output_tokens: 10 * n },
    status: "complete",
  };
  const record = (await stores.sessions.find({ user, id }))!;
  const stored = await stores.messages.append({
    record,
    messages: [message],
    now: stores.clock(),
    expiresAt: record.expires_at,
  });
  expect(stored.kind).toBe("stored");
}

const run = (name: string, parameters: string[] = []) => {
  const query = namedQueries().find((each) => each.name === name)!;
  return lake.sql(query.sql, parameters);
};
const recent = () => seen.filter(({ day }) => day >= new Date(today - 30 * DAY).toISOString().slice(0, 10));
const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);
const grouped = <T>(all: T[], key: (each: T) => string) =>
  [...Map.groupBy(all, key)].sort(([a], [b]) => (a < b ? -1 : 1));

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1);
  return sum(middle) / middle.length;
}

describe("the named query", () => {
  it("sessions-per-day counts sessions and messages", async () => {
    const expected = grouped(recent(), ({ day }) => day).map(([day, sessions]) => ({
      day,
      sessions: sessions.length,
      messages: sum(sessions.map(({ count }) => count)),
    }));
    expect(expected).toHaveLength(3);
    expect(await run("sessions-per-day")).toEqual(expected);
  });

  it("active-users-per-day counts who wrote", async () => {
    const written = recent().flatMap(({ user, messages }) =>
      messages.filter(({ role }) => role === "user").map(({ created_at }) => ({ user, day: created_at.slice(0, 10) })),
    );
    const expected = grouped(written, ({ day }) => day).map(([day, messages]) => ({
      day,
      active_users: new Set(messages.map(({ user }) => user)).size,
      messages: messages.length,
    }));
    expect(await run("active-users-per-day")).toEqual(expected);
  });

  it("messages-per-user adds up each user's sessions", async () => {
    const expected = grouped(recent(), ({ user }) => user)
      .map(([user, sessions]) => ({
        user_hash: lake.pseudonym(user),
        sessions: sessions.length,
        messages: sum(sessions.map(({ count }) => count)),
        user_messages: sum(sessions.map(({ messages }) => messages.filter(({ role }) => role === "user").length)),
      }))
      .sort((a, b) => b.messages - a.messages);
    expect(await run("messages-per-user")).toEqual(expected);
  });

  it("longest-sessions begins with the longest", async () => {
    const expected = recent()
      .map(({ id, user, day, count, seconds }) => ({
        session_id: id,
        user_hash: lake.pseudonym(user),
        day,
        message_count: count,
        duration_seconds: seconds,
      }))
      .sort((a, b) => b.message_count - a.message_count);
    expect(await run("longest-sessions")).toEqual(expected);
  });

  it("median-session-length takes the middle, or the mean of the two in it", async () => {
    const expected = grouped(recent(), ({ day }) => day).map(([day, sessions]) => ({
      day,
      sessions: sessions.length,
      median_messages: median(sessions.map(({ count }) => count)),
      median_seconds: median(sessions.map(({ seconds }) => seconds)),
    }));
    expect(await run("median-session-length")).toEqual(expected);
  });

  it("cost-by-model adds up tokens, and dollars where the price is known", async () => {
    const answers = recent().flatMap(({ messages }) => messages.filter(({ model }) => model));
    const expected = grouped(answers, ({ model }) => model ?? "")
      .map(([model, of]) => {
        const input_tokens = sum(of.map(({ usage }) => usage?.input_tokens ?? 0));
        const output_tokens = sum(of.map(({ usage }) => usage?.output_tokens ?? 0));
        // gpt-4o-mini: $0.15 and $0.60 for a million tokens.
        const cost = Math.round(input_tokens * 0.15 + output_tokens * 0.6) / 1e6;
        return { model, answers: of.length, input_tokens, output_tokens, cost_usd: model === MODELS[0] ? cost : null };
      })
      .sort((a, b) => b.output_tokens - a.output_tokens);
    expect(expected.map(({ model }) => model).sort()).toEqual([...MODELS]);
    expect(await run("cost-by-model")).toEqual(expected);
  });

  it("return-after-7-days follows users from their first session on", async () => {
    const day = (ago: number) => new Date(today - ago * DAY).toISOString().slice(0, 10);
    expect(await run("return-after-7-days")).toEqual([
      { first_day: day(45), users: 1, returned: 0, return_rate: 0 },
      { first_day: day(20), users: 2, returned: 1, return_rate: 0.5 },
      { first_day: day(12), users: 1, returned: 0, return_rate: 0 },
    ]);
  });

  it("messages-matching finds a phrase in any case", async () => {
    const found = await run("messages-matching", ["of ANN: a refund?"]);
    const expected = recent()
      .flatMap(({ messages }) => messages)
      .filter(({ content }) => content.includes("of ann: a REFUND?"));
    expect(found.map(({ content }) => content).sort()).toEqual(expected.map(({ content }) => content).sort());
    expect(found.length).toBeGreaterThan(5);
    expect(await run("messages-matching", ["nobody said this"])).toEqual([]);
  });

  it("says what it is in its first line, and all that analysts ask first are there", () => {
    const names = namedQueries().map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "active-users-per-day",
        "cost-by-model",
        "longest-sessions",
        "median-session-length",
        "messages-matching",
        "messages-per-user",
        "return-after-7-days",
        "sessions-per-day",
      ]),
    );
    for (const { sql, description } of namedQueries()) {
      expect(sql.startsWith(`-- ${description}\n`)).toBe(true);
      expect(sql).not.toContain(";");
    }
  });
});
