import type { APIGatewayProxyEvent, Context } from "aws-lambda";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { createCreateEvent } from "../../../functions/events/create.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { createIdempotencyStore } from "../../../shared/idempotency/idempotency-store.dynamodb.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { meter } from "../../bench/support/meter.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createWorld, NOON, type World } from "../../support/world.ts";

let engines: Engines;
let world: World;
let measure: ReturnType<typeof meter>["measure"];
beforeAll(async () => {
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  engines = await startEngines();
  world = createWorld(engines);
  ({ measure } = meter(engines.dynamodb));
  for (const id of ["hot", "cold", "gone"]) await world.create("ann", id, id === "cold" ? 60 : 86_400, 2);
  world.advance(61_000);
  await world.archiveJob({ Records: [(await world.sweep("ann", "cold"))!] });
  await deleteSession(world.stores, { user: "ann", id: "gone" });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await engines.close();
});

const events = () => createEventStore(createTable(engines.dynamodb, engines.metricsTable));

async function post(body: object, user = "ann", headers: Record<string, string> = {}) {
  const { clock, sessions } = world.stores;
  const idempotency = createIdempotencyStore(world.table);
  const handler = createCreateEvent({ clock, corsOrigins: [], events: events(), sessions, idempotency });
  const event = {
    httpMethod: "POST",
    path: "/v1/events",
    resource: "/v1/events",
    headers,
    body: JSON.stringify(body),
    requestContext: { requestId: "r", authorizer: { sub: user, exp: String(clock() / 1000 + 60), plan: "" } },
  } as unknown as APIGatewayProxyEvent;
  const answer = await handler(event, { getRemainingTimeInMillis: () => 29_000 } as Context);
  return { status: answer.statusCode, body: JSON.parse(answer.body) };
}

const stored = async () => {
  const ids: string[] = [];
  for await (const page of events().ofDay("2026-11-21")) ids.push(...page.map(({ id }) => id));
  return ids;
};

it.each(["hot", "cold"])("an event about a %s session is linked to it and its message", async (session_id) => {
  const event = { type: "feedback", session_id, message_id: "m", value: 1, metadata: { from: "web" } };
  const { status, body } = await post(event);
  expect(status).toBe(201);
  expect(body).toEqual({ id: expect.any(String), ...event, created_at: new Date(world.stores.clock()).toISOString() });
  expect(await stored()).toContain(body.id);
});

it.each([
  ["hot", "bob"],
  ["gone", "ann"],
  ["never", "ann"],
])(
  "an event about the session %s is refused to %s as if the session did not exist, and nothing is stored",
  async (session_id, user) => {
    const before = await stored();
    expect(await post({ type: "feedback", session_id }, user)).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
    expect(await stored()).toEqual(before);
  },
);

it("an event costs one read of the session and one write of the event, its index and its metric, whatever the session's length", async () => {
  const usage = await measure(() => post({ type: "feedback", session_id: "hot", message_id: "m", value: 1 }));
  expect(usage).toMatchObject({ operations: { GetItem: 1, BatchWriteItem: 1 }, rru: 1, wru: 3 });
});

it("an event is stored once when its request is repeated, and expires as the retention policy says", async () => {
  const first = await post({ type: "conversion", value: 9.5 }, "ann", { "idempotency-key": "k" });
  const before = await stored();
  world.advance(3_600_000);
  expect((await post({ type: "conversion", value: 9.5 }, "ann", { "idempotency-key": "k" })).body).toEqual(first.body);
  expect(await stored()).toEqual(before);
  const until = NOON + retention.event.seconds * 1000;
  expect(await events().hold("2026-11-21", until - 1)).toBe(0);
  expect(await events().hold("2026-11-21", until + 120_000)).toBe(before.length);
});
