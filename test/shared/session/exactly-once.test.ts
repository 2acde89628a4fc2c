import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReconcileJob } from "../../../functions/jobs/reconcile.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let world: World;
let names = 0;

beforeAll(async () => {
  engines = await startEngines();
  world = createWorld(engines);
});
afterAll(() => engines.close());

const USER = "ann";
const MESSAGES = 5;
const KINDS = ["before", "after"] as const;
const LONG_AGO = { getRemainingTimeInMillis: () => 600_000 };
const fresh = (what: string) => `${what}-${names++}`;
const contents = (id: string) => Array.from({ length: MESSAGES }, (_, n) => `message ${n} of ${id}`);

/** A session whose header TTL has deleted, and the record of that. */
async function expired(what: string): Promise<{ id: string; record: DynamoDBRecord }> {
  const id = fresh(what);
  await world.create(USER, id, 60, MESSAGES);
  world.advance(61_000);
  const record = await world.sweep(USER, id);
  if (!record) throw new Error("nothing had expired");
  return { id, record };
}

const archive = async (...Records: DynamoDBRecord[]) => {
  const { batchItemFailures } = await world.archiveJob({ Records });
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
};

async function read(id: string): Promise<string[]> {
  const page = await listMessages(world.stores, { user: USER, id }, { order: "asc", limit: 100 });
  return page.messages.map(({ content }) => content);
}

async function expectArchivedOnce(id: string): Promise<void> {
  expect(await world.cold(USER, id)).toEqual(contents(id));
  expect(await world.hot(USER, id)).toEqual([]);
  expect(await read(id)).toEqual(contents(id));
  const session = await showSession(world.stores, { user: USER, id });
  expect(session).toMatchObject({ status: "archived", message_count: MESSAGES });
}

async function expectHotOnce(id: string, expected = contents(id)): Promise<void> {
  expect(await world.hot(USER, id)).toEqual(expected);
  expect(await world.cold(USER, id)).toEqual([]);
  expect(await read(id)).toEqual(expected);
  const session = await showSession(world.stores, { user: USER, id });
  expect(session).toMatchObject({ status: "active", message_count: expected.length });
}

/** The crash, at every step of `work` in turn, both before the step happened and with its answer lost. */
async function atEveryStep(
  prepare: () => Promise<{ id: string; work: () => Promise<unknown> }>,
  check: (id: string, work: () => Promise<unknown>) => Promise<void>,
): Promise<number> {
  let steps = 0;
  for (const kind of KINDS) {
    for (let step = 0; ; step++) {
      const { id, work } = await prepare();
      const crashed = await world.crashing(step, kind, work);
      await check(id, work);
      await world.drop(USER, id);
      if (!crashed) break;
      steps++;
    }
  }
  return steps;
}

describe("archiving", () => {
  it("ends with every message once, wherever it was interrupted", async () => {
    const steps = await atEveryStep(
      async () => {
        const { id, record } = await expired("interrupted");
        const work = async () => {
          if ((await archive(record)).length > 0) throw new Error("not archived");
        };
        return { id, work: () => work().catch((error) => rethrowUnlessCrash(error)) };
      },
      async (id, work) => {
        await work();
        await expectArchivedOnce(id);
      },
    );
    expect(steps).toBeGreaterThan(14);
  });

  it("is finished by the reconciler when the record is lost after any step", async () => {
    await atEveryStep(
      async () => {
        const { id, record } = await expired("lost");
        return { id, work: () => archive(record) };
      },
      async (id) => {
        world.advance(2 * 3_600_000);
        await createReconcileJob(world.stores)({}, LONG_AGO);
        await expectArchivedOnce(id);
      },
    );
  });

  it("ends in the same state when records come twice, late or out of order", async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, () => expired("batch")));
    const records = sessions.map(({ record }) => record);
    await archive(...records, ...records.slice().reverse());
    await archive(...records.slice(2, 5));
    for (const { id } of sessions) await expectArchivedOnce(id);
  });

  it("ends in the same state when two archivers work on the same session", async () => {
    const { id, record } = await expired("raced");
    await Promise.all([archive(record), archive(record), archive(record)]);
    await expectArchivedOnce(id);
  });

  it("does not touch a restored session when its earlier record comes again", async () => {
    const { id, record } = await expired("stale");
    await archive(record);
    await restoreSession(world.stores, { user: USER, id });
    expect(await archive(record)).toEqual([]);
    await expectHotOnce(id);
    world.advance(61_000);
    const second = await world.sweep(USER, id);
    expect(await archive(record)).toEqual([]);
    expect(await world.hot(USER, id)).toEqual(contents(id));
    expect(await archive(second!)).toEqual([]);
    await expectArchivedOnce(id);
  });
});

describe("restoring", () => {
  it("ends with every message once, wherever it was interrupted", async () => {
    const steps = await atEveryStep(
      async () => {
        const { id, record } = await expired("restored");
        await archive(record);
        return { id, work: () => restoreSession(world.stores, { user: USER, id }) };
      },
      async (id, work) => {
        expect(await read(id)).toEqual(contents(id));
        await work();
        world.advance(16 * 60_000);
        // It expires in the meantime; the reconciler cleans up what the interrupted run has left nevertheless.
        await createReconcileJob(world.stores)({}, LONG_AGO);
        await restoreSession(world.stores, { user: USER, id });
        await expectHotOnce(id);
      },
    );
    expect(steps).toBeGreaterThan(12);
  });

  it("leaves nothing behind when it is not repeated", async () => {
    await atEveryStep(
      async () => {
        const { id, record } = await expired("abandoned");
        await archive(record);
        return { id, work: () => restoreSession(world.stores, { user: USER, id }) };
      },
      async (id) => {
        world.advance(16 * 60_000);
        await createReconcileJob(world.stores)({}, LONG_AGO);
        const [hot, cold] = [await world.hot(USER, id), await world.cold(USER, id)];
        expect([...hot, ...cold]).toEqual(contents(id));
      },
    );
  });

  it("gives one session when many requests restore it at the same time", async () => {
    const { id, record } = await expired("wanted");
    await archive(record);
    const records = await Promise.all(
      Array.from({ length: 4 }, () => restoreSession(world.stores, { user: USER, id })),
    );
    expect(new Set(records.map(({ generation }) => generation)).size).toBe(1);
    await expectHotOnce(id);
  });

  it("happens before a write to an archived session", async () => {
    const { id, record } = await expired("written");
    await archive(record);
    await appendMessages(world.stores, { user: USER, id }, [{ role: "user", content: "more" }], {
      seed: "more",
      at: world.stores.clock(),
    });
    await expectHotOnce(id, [...contents(id), "more"]);
  });

  it("happens before a write when the header is deleted and the archiver has not run yet", async () => {
    const { id, record } = await expired("limbo");
    await appendMessages(world.stores, { user: USER, id }, [{ role: "user", content: "more" }], {
      seed: "more",
      at: world.stores.clock(),
    });
    expect(await archive(record)).toEqual([]);
    await expectHotOnce(id, [...contents(id), "more"]);
  });
});

describe("a session in limbo", () => {
  it("is read like an archived session, with all its messages", async () => {
    const { id } = await expired("limbo");
    expect(await read(id)).toEqual(contents(id));
    const session = await showSession(world.stores, { user: USER, id });
    expect(session).toMatchObject({ id, status: "archived", message_count: MESSAGES });
  });
});

describe("deleting", () => {
  it.each(["hot", "limbo", "archived"])(
    "leaves nothing of a session that is %s, wherever it was interrupted",
    async (where) => {
      await atEveryStep(
        async () => {
          const { id, record } = where === "hot" ? { id: fresh("gone"), record: null } : await expired("gone");
          if (!record) await world.create(USER, id, 600, MESSAGES);
          else if (where === "archived") await archive(record);
          return { id, work: () => deleteSession(world.stores, { user: USER, id }) };
        },
        async (id, work) => {
          await work().catch((error) => expect(error).toMatchObject({ code: "not_found" }));
          world.advance(16 * 60_000);
          await createReconcileJob(world.stores)({}, LONG_AGO);
          await expect(read(id)).rejects.toMatchObject({ code: "not_found" });
          expect(await world.hot(USER, id)).toEqual([]);
          expect(await world.cold(USER, id)).toEqual([]);
          world.advance(2 * 3_600_000);
          await createReconcileJob(world.stores)({}, LONG_AGO);
          expect(await world.stores.sessions.findAnchor({ user: USER, id })).toBeNull();
        },
      );
    },
  );

  it("wins over an archiver that comes later", async () => {
    const { id, record } = await expired("deleted");
    await deleteSession(world.stores, { user: USER, id });
    expect(await archive(record)).toEqual([]);
    expect(await world.cold(USER, id)).toEqual([]);
    await expect(read(id)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("resetting", () => {
  it.each(["hot", "archived"])("empties a session that is %s, wherever it was interrupted", async (where) => {
    await atEveryStep(
      async () => {
        const { id, record } = where === "hot" ? { id: fresh("reset"), record: null } : await expired("reset");
        if (record) await archive(record);
        else await world.create(USER, id, 6000, MESSAGES);
        return { id, work: () => resetSession(world.stores, { user: USER, id }, { seed: `reset ${id}` }) };
      },
      async (id, work) => {
        await work();
        world.advance(16 * 60_000);
        await createReconcileJob(world.stores)({}, LONG_AGO);
        await restoreSession(world.stores, { user: USER, id });
        await expectHotOnce(id, []);
      },
    );
  });
});

describe("the number of active sessions", () => {
  it("equals the number of hot sessions after all these tests", async () => {
    const before = await world.stores.sessions.countActive();
    const { id, record } = await expired("counted");
    expect(await world.stores.sessions.countActive()).toBe(before + 1);
    await archive(record);
    expect(await world.stores.sessions.countActive()).toBe(before);
    await restoreSession(world.stores, { user: USER, id });
    expect(await world.stores.sessions.countActive()).toBe(before + 1);
    await deleteSession(world.stores, { user: USER, id });
    expect(await world.stores.sessions.countActive()).toBe(before);
  });
});

/** The archive job reports failures instead of throwing; a crash is what this test means by one. */
function rethrowUnlessCrash(error: Error): void {
  if (error.message !== "not archived") throw error;
}
