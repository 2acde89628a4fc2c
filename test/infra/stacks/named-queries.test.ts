import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFoldJob } from "../../../functions/jobs/fold.ts";
import { namedQueries } from "../../../infra/stacks/named-queries.ts";
import { createAuditStore } from "../../../shared/audit/audit-store.dynamodb.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEvent } from "../../../shared/events/create-event.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { exportDay } from "../../../shared/lake/export-day.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import { createRecorder } from "../../../shared/metrics/recorder.dynamodb.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import type { MessageRecord } from "../../../shared/session/message.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake-world.ts";
import { NOON } from "../../support/world.ts";

const DAY = 86_400_000;
/** Noon of today: the queries ask for the last 30 days. */
const today = Math.floor(Date.now() / DAY) * DAY + DAY / 2;

/** Too long for a key of the archive, which then contains its hash. */
const CAT = "cat".repeat(100);

/** Conversations: the user, the days ago, and the number of messages. */
const spoken = [
  { user: "ann", ago: 20, messages: 4 },
  { user: "ann", ago: 12, messages: 2 },
  { user: "ann", ago: 3, messages: 7 },
  { user: "bob", ago: 20, messages: 1 },
  { user: "bob", ago: 20, messages: 10 },
  { user: CAT, ago: 12, messages: 3 },
  { user: "dan", ago: 45, messages: 5 },
].map((each, n) => ({ ...each, id: `session-${n}` }));

/** Events: what users reported, and how many days ago. */
const reported = [
  { user: "ann", ago: 2, type: "feedback", session_id: "session-2", value: 1 },
  { user: "ann", ago: 1, type: "feedback", session_id: "session-2", value: -1 },
  { user: "bob", ago: 19, type: "feedback", session_id: "session-4", value: 1 },
  { user: CAT, ago: 1, type: "feedback", session_id: "session-5", value: -1 },
  { user: CAT, ago: 1, type: "conversion", session_id: "session-5", value: 19.9 },
  { user: "bob", ago: 1, type: "conversion", value: 5 },
] as const;

/** Requests of each day: route, class of the answer, milliseconds. */
const requests = [
  {
    ago: 3,
    all: [
      ["POST /v1/sessions", "2xx", 40],
      ["GET /health", "2xx", 2],
    ],
  },
  {
    ago: 2,
    all: [
      ["POST /v1/sessions", "2xx", 900],
      ["POST /v1/sessions", "5xx", 30],
      ["GET /health", "2xx", 3],
    ],
  },
] as const;

let engines: Engines;
let lake: LakeWorld;
/** The API's answers for each session and its messages. */
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

  await report();

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

const dayOf = (ago: number): string => new Date(today - ago * DAY).toISOString().slice(0, 10);

const metrics = () => {
  const table = createTable(engines.dynamodb, engines.metricsTable);
  return { table, store: createMetricStore(table), events: createEventStore(table) };
};

/** Events and requests, folded and exported as the schedules do. */
async function report(): Promise<void> {
  const { table, store, events } = metrics();
  const { stores } = lake.world;
  for (const [n, { user, ago, ...event }] of reported.entries()) {
    const request = { seed: `event ${n}`, at: today - ago * DAY };
    await createEvent({ events, ...stores }, user, event, request);
  }
  const recorder = createRecorder(table, () => today);
  for (const { ago, all } of requests) {
    const at = today - ago * DAY;
    for (const [route, status, duration_ms] of all) {
      await recorder.record({
        kind: "api.request",
        dimensions: { route, status },
        measures: { duration_ms },
        user: "u",
        at,
      });
    }
    await fold("hour", at + 65 * 60_000, `${dayOf(ago)}T12`);
    await store.advance("hour", `${dayOf(ago)}T23`);
    await fold("day", at + DAY, dayOf(ago));
  }
  const { pseudonym } = lake;
  const audit = createAuditStore(createTable(engines.dynamodb, "audit"));
  for (let ago = 30; ago > 0; ago--) {
    await exportDay({ store, events, audit, ...lake.ports, pseudonym, content: "full" }, dayOf(ago));
  }

  async function fold(granularity: "hour" | "day", now: number, from: string): Promise<void> {
    const clock = () => now;
    await createFoldJob({ store, clock }, granularity)({ from }, { getRemainingTimeInMillis: () => 900_000 });
  }
}

const MODELS = ["gpt-4o-mini", "llama-at-home"] as const;

/** US dollars per token at the time of the answer. */
const PRICE = 3e-7;

/** Stores an answer of a model as a chat turn does: 100 tokens in and 10 out for each message before it. */
async function answer(user: string, id: string, n: number, created_at: string): Promise<void> {
  const { stores } = lake.world;
  const message: MessageRecord = {
    id: `answer-${n}`,
    role: "assistant",
    content: `Answer ${n}`,
    created_at,
    model: MODELS[n % 4 === 1 ? 0 : 1],
    usage: { input_tokens: 100 * n, output_tokens: 10 * n, cost_usd: n % 4 === 1 ? PRICE * 110 * n : 0 },
    status: "complete",
    latency_ms: 1000 + n,
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
const hashOf = (user: string) =>
  lake.pseudonym(user === CAT ? `sha256-${createHash("sha256").update(CAT).digest("hex")}` : user);
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

  it("active-users-per-day counts users who wrote", async () => {
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
        user_hash: hashOf(user),
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
        user_hash: hashOf(user),
        day,
        message_count: count,
        duration_seconds: seconds,
      }))
      .sort((a, b) => b.message_count - a.message_count);
    expect(await run("longest-sessions")).toEqual(expected);
  });

  it("median-session-length takes the middle value, or the mean of the two middle values", async () => {
    const expected = grouped(recent(), ({ day }) => day).map(([day, sessions]) => ({
      day,
      sessions: sessions.length,
      median_messages: median(sessions.map(({ count }) => count)),
      median_seconds: median(sessions.map(({ seconds }) => seconds)),
    }));
    expect(await run("median-session-length")).toEqual(expected);
  });

  it("cost-by-model adds up tokens, and dollars as they were charged", async () => {
    const answers = recent().flatMap(({ messages }) => messages.filter(({ model }) => model));
    const expected = grouped(answers, ({ model }) => model ?? "")
      .map(([model, of]) => {
        const input_tokens = sum(of.map(({ usage }) => usage?.input_tokens ?? 0));
        const output_tokens = sum(of.map(({ usage }) => usage?.output_tokens ?? 0));
        const cost_usd = Math.round(sum(of.map(({ usage }) => usage?.cost_usd ?? 0)) * 1e6) / 1e6;
        return { model, answers: of.length, input_tokens, output_tokens, cost_usd };
      })
      .sort((a, b) => b.output_tokens - a.output_tokens);
    expect(expected.map(({ model, cost_usd }) => [model, cost_usd > 0]).sort()).toEqual([
      [MODELS[0], true],
      [MODELS[1], false],
    ]);
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

  it("feedback-per-session finds the sessions of all users, whatever their names, the least satisfied first", async () => {
    const found = await run("feedback-per-session");
    const of = (id: string) => seen.find((each) => each.id === id)!;
    const expected = [
      { session_id: "session-5", feedback: 1, satisfied: 0 },
      { session_id: "session-2", feedback: 2, satisfied: 1 },
      { session_id: "session-4", feedback: 1, satisfied: 1 },
    ].map(({ session_id, ...counts }) => {
      const { user, day, count, messages } = of(session_id);
      const costs = messages.flatMap(({ usage }) => usage?.cost_usd ?? []);
      const cost_usd = costs.length > 0 ? expect.closeTo(sum(costs), 9) : null;
      return { session_id, user_hash: hashOf(user), day, message_count: count, cost_usd, ...counts };
    });
    expect(found).toEqual(expected);
  });

  it("satisfaction-per-day counts feedback and conversions", async () => {
    expect(await run("satisfaction-per-day")).toEqual([
      { dt: dayOf(19), feedback: 1, satisfied: 1, conversions: 0, conversion_value: null },
      { dt: dayOf(2), feedback: 1, satisfied: 1, conversions: 0, conversion_value: null },
      { dt: dayOf(1), feedback: 2, satisfied: 0, conversions: 2, conversion_value: 24.9 },
    ]);
  });

  it("latency-by-route has the figures of GET /v1/metrics", async () => {
    const rows = await queryMetrics(
      { store: metrics().store, clock: () => today },
      { name: "api.request", granularity: "day", from: `${dayOf(3)}T00:00:00.000Z`, to: `${dayOf(1)}T00:00:00.000Z` },
    );
    const expected = grouped(rows, ({ dimensions }) => dimensions.route ?? "")
      .map(([route, of]) => ({
        route,
        requests: sum(of.map(({ count }) => count)),
        failures: sum(of.map(({ dimensions, count }) => (dimensions.status === "5xx" ? count : 0))),
        worst_p95_ms: Math.round(Math.max(...of.map(({ p95 }) => p95)) * 10) / 10,
        worst_p99_ms: Math.round(Math.max(...of.map(({ p99 }) => p99)) * 10) / 10,
      }))
      .sort((a, b) => b.requests - a.requests);
    expect(expected.map(({ route, requests: n, failures }) => [route, n, failures])).toEqual([
      ["POST /v1/sessions", 3, 1],
      ["GET /health", 2, 0],
    ]);
    expect(await run("latency-by-route")).toEqual(expected);
  });

  it("has a description in its first line, and exists for every common question", () => {
    const names = namedQueries().map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "active-users-per-day",
        "cost-by-model",
        "feedback-per-session",
        "latency-by-route",
        "longest-sessions",
        "median-session-length",
        "messages-matching",
        "messages-per-user",
        "return-after-7-days",
        "satisfaction-per-day",
        "sessions-per-day",
      ]),
    );
    for (const { sql, description } of namedQueries()) {
      expect(sql.startsWith(`-- ${description}\n`)).toBe(true);
      expect(sql).not.toContain(";");
      // In Athena, the average of decimals has as many digits as the decimals.
      expect(sql).not.toMatch(/then \d+\.\d/);
    }
  });
});
