import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createArchiveJob } from "../../../functions/jobs/archive.ts";
import { compileFilter } from "../../../infra/local/events/filter-pattern.ts";
import { newSessionRecords } from "../../../infra/stream-filters.ts";
import { sessionKey } from "../../../shared/dynamodb/keys.ts";
import type { Metric } from "../../../shared/metrics/metric.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { expireIdle } from "../../../shared/session/expire-idle.ts";
import { limitSessions } from "../../../shared/session/limit-sessions.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createStream } from "../../support/stream.ts";
import { createWorld, type World } from "../../support/world.ts";

vi.spyOn(console, "log").mockImplementation(() => undefined);
vi.spyOn(console, "error").mockImplementation(() => undefined);

const HOUR = 3_600_000;
const TTL = 60;
const USER = "ann";
const LONG = Number.POSITIVE_INFINITY;

let engines: Engines;
let world: World;
let names = 0;
beforeAll(async () => {
  engines = await startEngines();
  world = createWorld(engines);
});
afterAll(() => engines.close());

/** An incognito session on two branches, with a file. */
async function begin({ ttl_seconds = TTL, user = USER } = {}): Promise<string> {
  const id = `incognito-${names++}`;
  const request = (what: string) => ({ seed: `${what} ${id}`, at: world.stores.clock() });
  await createSession(world.stores, user, { id, ttl_seconds, incognito: true }, request("create"), TTL);
  const parts = [{ type: "file" as const, data: "data:text/plain,secret", filename: "a.txt" }];
  const said = [
    { role: "user" as const, parts },
    { role: "user" as const, content: "more" },
    { role: "user" as const, content: "other", parent_id: null },
  ];
  await appendMessages(world.stores, { user, id }, said, request("append"));
  return id;
}

async function expired(): Promise<{ id: string; record: DynamoDBRecord }> {
  const id = await begin();
  world.advance(TTL * 1000);
  return { id, record: (await world.sweep(USER, id))! };
}

const archive = async (...Records: DynamoDBRecord[]) => (await world.archiveJob({ Records })).batchItemFailures;

async function runReconciler(): Promise<void> {
  const failures: unknown[] = [];
  await reconcile(world.stores, LONG, (error) => failures.push(error));
  expect(failures).toEqual([]);
}

async function itemsOf(id: string, user = USER): Promise<string[]> {
  const { items } = await world.table.query({
    KeyConditionExpression: "pk = :pk",
    ExpressionAttributeValues: { ":pk": sessionKey(user, id) },
    ConsistentRead: true,
  });
  return items.map(({ sk }) => String(sk));
}

async function objects(prefix: string): Promise<string[]> {
  const { Contents = [] } = await engines.s3.send(new ListObjectsV2Command({ Bucket: engines.bucket, Prefix: prefix }));
  return Contents.map(({ Key }) => Key ?? "");
}

/** Nothing is left of the session but what a deletion leaves. */
async function expectDeleted(id: string, user = USER): Promise<void> {
  expect(await itemsOf(id, user)).toEqual(["A"]);
  const anchor = await world.stores.sessions.findAnchor({ user, id });
  expect(anchor).toMatchObject({ state: "deleted", purged: true, title: null, metadata: {} });
  expect([await objects("files/"), await objects("archive/")]).toEqual([[], []]);
}

/** Nothing at all is left later. */
async function expectGone(id: string): Promise<void> {
  for (let n = 0; n < 2; n++) {
    world.advance(2 * HOUR);
    await runReconciler();
  }
  expect(await itemsOf(id)).toEqual([]);
  expect(await world.stores.sessions.countActive()).toBe(0);
}

/** Runs `work` with a crash at each of its steps in turn, before the step happened and with its answer lost. Then `finish` must end it. */
async function atEveryStep(
  prepare: () => Promise<{ id: string; work: () => Promise<unknown> }>,
  finish: (work: () => Promise<unknown>) => Promise<void>,
): Promise<number> {
  let steps = 0;
  for (const kind of ["before", "after"] as const) {
    for (let step = 0, crashed = true; crashed; step++) {
      const { id, work } = await prepare();
      crashed = await world.crashing(step, kind, work);
      await finish(work);
      await expectDeleted(id);
      await world.drop(USER, id);
      if (crashed) steps++;
    }
  }
  expect(await world.stores.sessions.countActive()).toBe(0);
  return steps;
}

describe("an incognito session that has expired", () => {
  it("is deleted with its messages, branches and files by the record of DynamoDB's deletion", async () => {
    const { id, record } = await expired();
    expect((await objects("files/")).length).toBe(1);
    expect(await archive(record)).toEqual([]);
    await expectDeleted(id);
    await expectGone(id);
  });

  it("is deleted completely wherever the archiver was interrupted, by the next delivery of the record", async () => {
    const steps = await atEveryStep(
      async () => {
        const { id, record } = await expired();
        return { id, work: () => archive(record) };
      },
      async (work) => expect(await work()).toEqual([]),
    );
    expect(steps).toBeGreaterThan(14);
  });

  it("is deleted completely by the reconciler when the record is lost after any step", async () => {
    await atEveryStep(
      async () => {
        const { id, record } = await expired();
        return { id, work: () => archive(record) };
      },
      async () => {
        world.advance(HOUR / 2);
        await runReconciler();
      },
    );
  });

  it("is deleted by the reconciler without waiting for DynamoDB's TTL, also after a crash at any step", async () => {
    await atEveryStep(
      async () => {
        const id = await begin();
        world.advance(TTL * 1000);
        return { id, work: () => reconcile(world.stores, LONG, () => undefined) };
      },
      async () => {
        world.advance(HOUR / 2);
        await runReconciler();
      },
    );
  });

  it("is deleted by the first run of the reconciler after its expiry, with any lifetime", async () => {
    const id = await begin({ ttl_seconds: 24 * 3600 });
    world.advance(24 * HOUR - 1000);
    await runReconciler();
    expect(await itemsOf(id)).toContain("Z");
    world.advance(1000);
    await runReconciler();
    await expectDeleted(id);
    await world.drop(USER, id);
  });

  it("ends in the same state when its record comes twice, late, or to several archivers at the same time", async () => {
    const { id, record } = await expired();
    await Promise.all([archive(record), archive(record), runReconciler()]);
    await archive(record, record);
    await expectDeleted(id);
    await expectGone(id);
    await archive(record);
    expect(await itemsOf(id)).toEqual([]);
  });

  it("does not affect a later session with its id", async () => {
    const { id, record } = await expired();
    const request = { seed: `again ${id}`, at: world.stores.clock() };
    await createSession(world.stores, USER, { id, ttl_seconds: 24 * 3600 }, request, TTL);
    await appendMessages(world.stores, { user: USER, id }, { role: "user", content: "later" }, request);
    await archive(record);
    world.advance(2 * HOUR);
    await runReconciler();
    await archive(record);
    expect(await world.hot(USER, id)).toEqual(["later"]);
    await world.drop(USER, id);
  });

  it("is counted as a session that has ended, and only once", async () => {
    const notes: Metric[] = [];
    const recorder = {
      record: async () => undefined,
      note: (one: Metric) => void notes.push(one),
      flush: async () => undefined,
    };
    const job = createArchiveJob(world.stores, { mark: async () => undefined }, recorder);
    const { record } = await expired();
    await job({ Records: [record] });
    await job({ Records: [record] });
    expect(notes).toEqual([
      { kind: "session.end", dimensions: {}, measures: { length_s: 0, messages: 3 }, user: USER },
    ]);
  });
});

describe("an incognito session that expires early", () => {
  it("counts towards the user's limit, and is deleted when the limit is exceeded", async () => {
    const user = "limited";
    const nextRecords = await createStream(engines, "jobs-archive", [newSessionRecords]);
    const first = await begin({ ttl_seconds: 24 * 3600, user });
    world.advance(60_000);
    const second = await begin({ ttl_seconds: 24 * 3600, user });
    const isOfUser = ({ dynamodb }: DynamoDBRecord) => dynamodb?.Keys?.pk?.S?.startsWith(`U#${user}#`);
    const Records = (await nextRecords()).filter(compileFilter(newSessionRecords)).filter(isOfUser);
    expect(Records).toHaveLength(2);
    const job = createArchiveJob(world.stores, { mark: async () => undefined }, undefined, 1);
    await job({ Records });
    const query = { status: "all", order: "asc", limit: 10, now: world.stores.clock() } as const;
    expect((await world.stores.sessions.list(user, query)).records.map(({ id }) => id)).toEqual([second]);
    world.advance(1000);
    await runReconciler();
    expect(await itemsOf(first, user)).toEqual(["A"]);
    expect(await limitSessions(world.stores, user, 0, new Set())).toBe(0);
    await world.drop(user, second);
  });

  it("is deleted soon after an admin expires idle sessions, although DynamoDB deletes its header later", async () => {
    const id = await begin({ ttl_seconds: 24 * 3600 });
    await expireIdle(world.stores, world.stores.clock(), LONG);
    expect(await itemsOf(id)).toContain("Z");
    await runReconciler();
    expect(await itemsOf(id)).toEqual(["A"]);
    expect(await objects("archive/")).toEqual([]);
  });
});
