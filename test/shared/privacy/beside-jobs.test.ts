import { paginateScan } from "@aws-sdk/lib-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createAuditJob } from "../../../functions/jobs/audit.ts";
import { createBuildExportJob } from "../../../functions/jobs/build-export.ts";
import { createReconcileJob } from "../../../functions/jobs/reconcile.ts";
import { createArchivedDays } from "../../../shared/archive/archived-days.s3.ts";
import { createOutboxReader } from "../../../shared/audit/audit-outbox.dynamodb.ts";
import { createAuditStore } from "../../../shared/audit/audit-store.dynamodb.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { buildDay } from "../../../shared/lake/build-day.ts";
import { exportDay } from "../../../shared/lake/export-day.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import { reembed } from "../../../shared/memory/reembed.ts";
import { recentErasures } from "../../../shared/privacy/erasure.ts";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { createExportWorld } from "../../support/export-world.ts";
import { readPartition } from "../../support/partition.ts";
import { type Api, startApi } from "../../support/start-api.ts";
import { storedTexts } from "../../support/stored-texts.ts";
import { createStream } from "../../support/stream.ts";

/** Milliseconds after which an erasure names its user nowhere. */
const LATE = 2 * 3_600_000;

/** Jobs with many calls are stopped at every second or third. */
const LONG: Record<string, number> = { "build-export": 2, reembed: 3 };

let api: Api;
let erasing: ReturnType<typeof createErasureWorld>;
let exporting: ReturnType<typeof createExportWorld>;
beforeAll(async () => {
  api = await startApi();
  erasing = createErasureWorld(api.engines, api.world);
  exporting = createExportWorld(api);
});
afterAll(() => api.close());

const pseudonym = createPseudonyms("a key");

/** How often the run of a job has looked for erasures. From the second time on it publishes at once, which takes less than the grace. */
let looks = 0;

const today = () => new Date(api.world.stores.clock()).toISOString().slice(0, 10);

/** Stores without audit records and without aggregates. */
const none = { async *ofDay() {}, async *aggregates() {} } as never;

/** The stores of the jobs of the lake. */
function lakePorts() {
  const { engines, world } = api;
  const metrics = createTable(world.faulty(engines.dynamodb), engines.metricsTable);
  return {
    archived: createArchivedDays(world.s3, engines.bucket),
    lake: createLake(world.s3, engines.bucket),
    findErasures() {
      looks++;
      return recentErasures(erasing.deps.erasures);
    },
    settings: { pseudonym, content: "full" as const },
    events: createEventStore(metrics),
    audit: none,
    store: none,
    pseudonym,
    content: "full" as const,
  };
}

/** Lets a session expire whose messages name the user. Returns the record of its header. */
async function expire(user: string) {
  const { world } = api;
  await world.create(user, `of-${user}`, 60, 2);
  world.advance(61_000);
  return (await world.sweep(user, `of-${user}`))!;
}

/** Jobs that write data of users. Each prepares a user, and returns the work that its run does, which may be delivered again. */
const jobs: Record<string, (user: string) => Promise<() => Promise<unknown>>> = {
  async archive(user) {
    const Records = [await expire(user)];
    return () => api.world.archiveJob({ Records });
  },
  async reconcile(user) {
    const { world } = api;
    await expire(user);
    world.advance(61_000);
    return () => createReconcileJob(world.stores)({}, { getRemainingTimeInMillis: () => 900_000 });
  },
  async remember(user) {
    const { world } = api;
    await world.say(user, "s", `My name is ${user}.`, `I am ${user}, and I live in Rome.`);
    const Records = await world.records(user, "s");
    return () => world.job({ Records });
  },
  async "build-export"(user) {
    await api.world.say(user, "s", `My name is ${user}.`);
    await api.post("/v1/exports", undefined, { user });
    return () => exporting.deliver(user);
  },
  async lake(user) {
    await api.world.archiveJob({ Records: [await expire(user)] });
    const day = today();
    return () => buildDay(lakePorts(), { day, aged: false }, api.world.stores.clock());
  },
  async export(user) {
    const day = today();
    await api.post("/v1/events", { type: "custom", metadata: { user } }, { user });
    return () => exportDay(lakePorts(), day);
  },
  async housekeeping(user) {
    const day = today();
    await api.post("/v1/events", { type: "custom", metadata: { user } }, { user });
    return () => lakePorts().events.hold(day, Date.parse("2040-01-01T00:00:00.000Z"));
  },
  async reembed(user) {
    const { world } = api;
    await world.say(user, "s", `My name is ${user}.`);
    await world.deliver(user, "s");
    const { space } = world.deps.firstLayout;
    const deps = { ...world.deps, stores: world.stores, wanted: { a: space, b: space } };
    return () => reembed(deps, Number.POSITIVE_INFINITY, { force: true });
  },
};

/** The audit records and the notes for them. */
async function audited(): Promise<string[]> {
  const texts: string[] = [];
  for (const TableName of ["audit", "audit-outbox"]) {
    for await (const { Items = [] } of paginateScan({ client: api.engines.dynamodb }, { TableName }))
      texts.push(...Items.map((item) => JSON.stringify(Object.entries(item).sort())));
  }
  return texts.sort();
}

/** What is stored of a user, wherever it is. */
async function storedOf(user: string, day: string): Promise<string[]> {
  const texts = (await storedTexts(api.engines)).filter((text) => text.includes(user));
  for (const table of ["messages", "session_summaries", "events"] as const) {
    const rows = await readPartition(api.engines, table, day);
    texts.push(...rows.filter(({ user_hash }) => user_hash === pseudonym(user)).map(() => `row of ${table}`));
  }
  return texts;
}

it.each(Object.keys(jobs))(
  "%s restores nothing of a user who is erased between any two of its calls",
  {
    timeout: 240_000,
  },
  async (name) => {
    const { world } = api;
    let calls = 0;
    for (let isReached = true; isReached; calls += LONG[name] ?? 1) {
      const user = `${name}-${calls}-user`;
      const day = today();
      const work = await jobs[name]!(user);
      looks = 0;
      let receipt = "";
      // A job that finds its data gone may fail. Lambda delivers its event again.
      isReached = await world.interleaved(
        calls,
        () => work().catch(() => undefined),
        async () => {
          receipt = (await erasing.request(user)).id;
          await erasing.run();
          if (looks > 1) return;
          world.advance(GRACE);
          await erasing.run();
          expect((await erasing.receipt(receipt)).status).toBe("complete");
        },
      );
      if (!isReached) receipt = (await erasing.request(user)).id;
      for (let runs = 0; runs < 2; runs++) {
        world.advance(GRACE);
        await erasing.run();
      }
      expect((await erasing.receipt(receipt)).status).toBe("complete");
      for (let times = 0; times < 2; times++) await work().catch(() => undefined);
      world.advance(LATE);
      await erasing.run();
      expect([calls, await storedOf(user, day)]).toEqual([calls, []]);
    }
    expect(calls).toBeGreaterThan(1);
  },
);

it("stream records that are delivered again after an erasure store nothing of the user", async () => {
  const { engines, world } = api;
  const [user, day] = ["streamed-user", today()];
  const streams = await Promise.all(
    (["jobs-archive", "jobs-remember", "jobs-build-export", "jobs-audit"] as const).map((job) =>
      createStream(engines, job),
    ),
  );
  const next = () => Promise.all(streams.map((read) => read()));
  await next();
  const context = { getRemainingTimeInMillis: () => 900_000 };
  const [archive, remember, buildExport, writeAudit] = [
    world.archiveJob,
    world.job,
    createBuildExportJob(exporting.deps),
    createAuditJob(async () => ({
      audit: createAuditStore(createTable(engines.dynamodb, "audit")),
      outbox: createOutboxReader(createTable(engines.dynamodb, "audit-outbox")),
      pseudonym,
      clock: world.stores.clock,
    })),
  ];
  const deliver = async (batches: DynamoDBRecord[][]) => {
    const jobs = [archive, remember, buildExport, writeAudit];
    for (const [n, Records = []] of batches.entries()) {
      expect([n, await jobs[n]!({ Records }, context)]).toEqual([n, { batchItemFailures: [] }]);
    }
  };

  await world.say(user, "s", `My name is ${user}.`);
  await world.say(user, "deleted", `I am ${user}.`);
  expect((await api.del("/v1/sessions/deleted", { user })).status).toBe(204);
  const removal = await expire(user);
  expect((await api.post("/v1/exports", undefined, { user })).status).toBe(202);
  const [archived = [], ...others] = await next();
  const batches = [[...archived, removal], ...others];
  expect(batches.map(({ length }) => length > 0)).toEqual([true, true, true, true]);
  await deliver(batches);
  // Deliver what the jobs have caused, too.
  await deliver(await next());

  expect((await erasing.erase(user)).status).toBe("complete");
  world.advance(LATE);
  await erasing.run();
  expect(await storedOf(user, day)).toEqual([]);
  const before = await audited();
  expect(before.filter((text) => text.includes(user))).toEqual([]);
  for (let times = 0; times < 2; times++) await deliver(batches);
  expect([await storedOf(user, day), await audited()]).toEqual([[], before]);
});
