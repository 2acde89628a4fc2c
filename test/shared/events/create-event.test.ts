import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEvent } from "../../../shared/events/create-event.ts";
import { createEventSchema, type EventCreate, type EventRecord } from "../../../shared/events/event.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { queryMetrics } from "../../../shared/metrics/query-metrics.ts";
import type { SessionId } from "../../../shared/session/session.ts";
import type { SessionStore } from "../../../shared/session/store.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

const AT = Date.parse("2026-11-21T12:00:00.000Z");
let engines: Engines;

beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());

const table = () => createTable(engines.dynamodb, engines.metricsTable);

const create = (input: EventCreate, seed: string) =>
  createEvent(
    {
      events: createEventStore(table()),
      sessions: {
        findAnchor: async ({ user, id }: SessionId) => {
          if (user !== "ann" || id === "nobody's") return null;
          return { state: id === "gone" ? "deleted" : "active" };
        },
      } as unknown as SessionStore,
      clock: () => AT,
    },
    "ann",
    input,
    { seed, at: AT },
  ).then(({ event }) => event);

const ofDay = async () => {
  const events: EventRecord[] = [];
  for await (const page of createEventStore(table()).ofDay("2026-11-21")) events.push(...page);
  return events;
};

describe("an event", () => {
  it("is stored and counted once when it is sent several times", async () => {
    const input: EventCreate = {
      type: "feedback",
      session_id: "s1",
      message_id: "m1",
      value: 1,
      metadata: { from: "chat" },
    };
    const event = await create(input, "one");
    expect(await create(input, "one")).toEqual(event);
    expect(event).toEqual({ id: expect.any(String), ...input, created_at: "2026-11-21T12:00:00.000Z" });
    expect(await ofDay()).toEqual([{ ...event, user_id: "ann" }]);
    const rows = await queryMetrics(
      { store: createMetricStore(table()), clock: () => AT + 1000 },
      { name: "event.feedback", granularity: "day", from: "2026-11-21T00:00:00.000Z", to: "2026-11-22T00:00:00.000Z" },
    );
    expect(rows).toMatchObject([{ count: 1, sum: 1, start: "2026-11-21T00:00:00.000Z" }]);
  });

  it("is counted by its name, without the personal data that a client puts there", async () => {
    await create({ type: "custom", name: "opened for ann@example.com" }, "named");
    const { Items = [] } = await engines.dynamodb.send(new ScanCommand({ TableName: engines.metricsTable }));
    const names = Items.filter(({ kind }) => kind === "event.custom").map(({ dimensions }) => dimensions.event);
    expect(names).toEqual(["opened for [email]"]);
    expect((await ofDay()).map(({ name }) => name)).toContain("opened for ann@example.com");
  });

  it.each(["nobody's", "gone"])("about a session that is %s is rejected, and nothing is stored", async (session_id) => {
    const before = await ofDay();
    await expect(create({ type: "custom", session_id }, session_id)).rejects.toMatchObject({ code: "not_found" });
    expect(await ofDay()).toEqual(before);
  });

  it.each([
    [{}, "type"],
    [{ type: "applause" }, "type"],
    [{ type: "conversion", value: 1e10 }, "value"],
    [{ type: "custom", name: "" }, "name"],
  ])("that is invalid is rejected with the name of the field: %j", (input, field) => {
    expect(createEventSchema.safeParse(input).error?.issues[0]?.path).toEqual([field]);
  });
});
