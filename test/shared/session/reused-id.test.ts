import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { bury, deleteSession } from "../../../shared/session/delete-session.ts";
import { expireIdle } from "../../../shared/session/expire-idle.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { showSession } from "../../../shared/session/read-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { etagOf, type SessionId } from "../../../shared/session/session.ts";
import type { Stores } from "../../../shared/session/store.ts";
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
const HOUR = 3_600_000;
const fresh = () => ({ user: USER, id: `reused-${names++}` });

const append = (session: { user: string; id: string }, content: string) =>
  appendMessages(world.stores, session, [{ role: "user", content }], { seed: content, at: world.stores.clock() });

async function read(session: { user: string; id: string }): Promise<string[]> {
  const page = await listMessages(world.stores, session, { order: "asc", limit: 100 });
  return page.messages.map(({ content }) => content);
}

const runReconciler = () =>
  reconcile(world.stores, world.stores.clock() + HOUR, (error) => {
    throw error;
  });

/** The later session under the id has exactly these messages, now and after the reconciler has run. */
async function expectWhole(session: { user: string; id: string }, contents: string[]): Promise<void> {
  for (let round = 0; round < 4; round++) {
    expect(await read(session)).toEqual(contents);
    expect((await showSession(world.stores, session)).message_count).toBe(contents.length);
    expect(await world.hot(session.user, session.id)).toEqual(contents);
    await runReconciler();
    world.advance(20 * 60_000);
  }
}

/** The keys of the session's archive objects, with messages or without. */
async function objectsOf({ id }: { id: string }): Promise<string[]> {
  const { Contents = [] } = await engines.s3.send(
    new ListObjectsV2Command({ Bucket: engines.bucket, Prefix: "archive/" }),
  );
  return Contents.map(({ Key = "" }) => Key).filter((key) => key.endsWith(`/${id}.jsonl.gz`));
}

/** Stores whose next call of `method` waits until it is released. */
function holding<P extends "sessions" | "messages" | "archive">(port: P, method: keyof World["stores"][P]) {
  let arrive = () => {};
  let release = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const original = world.stores[port][method] as (...args: unknown[]) => unknown;
  let isHeld = false;
  const held = async (...args: unknown[]) => {
    if (!isHeld) {
      isHeld = true;
      arrive();
      await released;
    }
    return original(...args);
  };
  return { stores: { ...world.stores, [port]: { ...world.stores[port], [method]: held } }, arrived, release };
}

/** An archived session, and the records of the TTL deletions of its header and then of its stub. */
async function archived(session: { user: string; id: string }): Promise<DynamoDBRecord> {
  await world.create(session.user, session.id, 60);
  await append(session, "old");
  world.advance(61_000);
  const record = await world.sweep(session.user, session.id);
  if (!record) throw new Error("nothing had expired");
  await world.archiveJob({ Records: [record] });
  return record;
}

describe("a session whose id was used before", () => {
  it("keeps its messages when the reconciler purges the tombstone of the earlier one at that moment", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    await append(session, "old");
    await deleteSession(world.stores, session);
    world.advance(2 * HOUR);
    const slow = holding("messages", "clear");
    const run = reconcile(slow.stores, world.stores.clock() + HOUR, (error) => {
      throw error;
    });
    await slow.arrived;
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    slow.release();
    await run;
    await expectWhole(session, ["new"]);
  });

  it("keeps its messages when a restore of the earlier one fails and deletes what it has written", async () => {
    const session = fresh();
    await archived(session);
    const slow = holding("messages", "put");
    const restore = restoreSession(slow.stores, session);
    await slow.arrived;
    await deleteSession(world.stores, session);
    await world.create(session.user, session.id, 600_000);
    await resetSession(world.stores, session, { seed: "reset" });
    await append(session, "new");
    slow.release();
    await restore;
    await expectWhole(session, ["new"]);
  });

  it("keeps its messages when the stream reports late that the earlier one's stub has expired", async () => {
    const session = fresh();
    await archived(session);
    world.advance(366 * 24 * HOUR);
    const late = await world.sweep(session.user, session.id);
    for (let n = 0; n < 3; n++) {
      world.advance(80 * HOUR);
      await runReconciler();
    }
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    await world.archiveJob({ Records: [late!] });
    await expectWhole(session, ["new"]);
  });

  it("keeps its messages when a deletion of the earlier one continues after a long pause", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    await append(session, "old");
    const slow = holding("messages", "clear");
    const deletion = deleteSession(slow.stores, session);
    await slow.arrived;
    for (let n = 0; n < 3; n++) {
      world.advance(2 * HOUR);
      await runReconciler();
    }
    expect(await world.stores.sessions.findAnchor(session)).toBeNull();
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    slow.release();
    await deletion;
    await expectWhole(session, ["new"]);
  });

  it("is not archived when the stream reports late that the earlier one's header has expired", async () => {
    const session = fresh();
    const late = await archived(session);
    await deleteSession(world.stores, session);
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    await world.archiveJob({ Records: [late] });
    await expectWhole(session, ["new"]);
  });

  it("loses nothing to an archiver that wrote the earlier one's object and then failed", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 60);
    await append(session, "old");
    world.advance(61_000);
    const record = await world.sweep(session.user, session.id);
    const slow = holding("archive", "write");
    const { createArchiveJob } = await import("../../../functions/jobs/archive.ts");
    const job = createArchiveJob(slow.stores, { mark: async () => undefined })({ Records: [record!] });
    await slow.arrived;
    await deleteSession(world.stores, session);
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    slow.release();
    await job;
    expect(await objectsOf(session)).toEqual([]);
    await expectWhole(session, ["new"]);
  });

  it("can be created at once, also with a clock that is behind, and the earlier one is still purged", async () => {
    const session = fresh();
    await archived(session);
    const slow = holding("messages", "put");
    const restore = restoreSession(slow.stores, session);
    await slow.arrived;
    await deleteSession(world.stores, session);
    world.advance(-5000);
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    // The restore has died: it put messages that no session has, and cleans up nothing.
    slow.stores.messages.clear = () => Promise.reject(new Error("died"));
    slow.release();
    await expect(restore).rejects.toThrow("died");
    expect((await world.hot(session.user, session.id)).toSorted()).toEqual(["new", "old"]);
    world.advance(2 * HOUR);
    await runReconciler();
    await expectWhole(session, ["new"]);
    const { items } = await world.table.query({
      KeyConditionExpression: "pk = :pk AND begins_with(sk, :d)",
      ExpressionAttributeValues: { ":pk": `U#${session.user}#S#${session.id}`, ":d": "D#" },
    });
    expect(items).toEqual([]);
  });

  it("is not patched, expired or restored by a request for the earlier one", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    const earlier = await showSession(world.stores, session);
    await deleteSession(world.stores, session);
    await world.create(session.user, session.id, 600_000);
    const later = await showSession(world.stores, session);
    expect([later.version, later.status]).toEqual([earlier.version, earlier.status]);
    const changes = { from: earlier, to: { ...earlier, title: "wrong" }, active: 0 } as const;
    expect(await world.stores.sessions.transit(session, changes)).toBe(false);
    const stale = { ...world.stores.sessions, findMany: async () => [{ ...earlier, updated_at: "2020-01-01" }] };
    const { expired } = await expireIdle({ sessions: stale, clock: world.stores.clock }, 0, Number.POSITIVE_INFINITY);
    expect(expired).toBe(0);
    expect(await world.stores.sessions.nextGeneration(session, earlier.generation, "2026-12-01")).toBeNull();
    expect(await showSession(world.stores, session)).toEqual(later);
  });

  it("has an ETag that is different from all ETags of the earlier one", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    const now = world.stores.clock();
    const earlier = etagOf(await showSession(world.stores, session), now);
    await deleteSession(world.stores, session);
    await world.create(session.user, session.id, 600_000);
    expect(etagOf(await showSession(world.stores, session), now)).not.toBe(earlier);
    const patch = patchSession(world.stores, session, { title: "wrong" }, (etag) => etag === earlier);
    await expect(patch).rejects.toMatchObject({ code: "precondition_failed" });
  });

  it("is not created again by a late retry of the request that created the earlier one", async () => {
    const session = fresh();
    const request = { seed: "one request", at: world.stores.clock() };
    const create = () => createSession(world.stores, session.user, { id: session.id }, request, 600);
    const first = await create();
    expect(await create()).toEqual(first);
    await deleteSession(world.stores, session);
    await expect(create()).rejects.toMatchObject({ code: "not_found" });
    await expect(read(session)).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("the id of an archived session that has expired", () => {
  it.each([
    ["before DynamoDB deletes the stub", false],
    ["after DynamoDB has deleted the stub", true],
  ])("can be used again %s, and the earlier session is purged", async (_when, swept) => {
    const session = fresh();
    await archived(session);
    world.advance(366 * 24 * HOUR);
    if (swept) expect(await world.sweep(session.user, session.id)).not.toBeNull();
    await expect(showSession(world.stores, session)).rejects.toMatchObject({ code: "not_found" });
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    await expectWhole(session, ["new"]);
    world.advance(HOUR);
    await runReconciler();
    expect(await world.cold(session.user, session.id)).toEqual([]);
  });
});

describe("patching", () => {
  it("succeeds beside a writer that never pauses", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    let isRunning = true;
    let appended = 0;
    const writer = (async () => {
      while (isRunning) await append(session, `message ${appended++}`);
    })();
    // Before every attempt at the change another message arrives.
    const busy = {
      ...world.stores.sessions,
      find: async (id: typeof session) => {
        const record = await world.stores.sessions.find(id);
        await append(session, `between ${appended++}`);
        return record;
      },
    };
    for (let n = 0; n < 10; n++) {
      const patched = await patchSession({ ...world.stores, sessions: busy }, session, { title: `t${n}` }, undefined);
      expect(patched.title).toBe(`t${n}`);
    }
    isRunning = false;
    await writer;
    const stored = await showSession(world.stores, session);
    expect(stored).toMatchObject({ title: "t9", message_count: appended });
    expect((await world.stores.sessions.findAnchor(session))?.title).toBe("t9");
  });
});

describe("a deletion", () => {
  it("changes nothing when a generation was assigned after its anchor was read", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    const record = await showSession(world.stores, session);
    const anchor = await world.stores.sessions.findAnchor(session);
    await world.stores.sessions.nextGeneration(session, record.generation, "2026-12-01T00:00:00.000Z");
    expect(await bury(world.stores, anchor!, record)).toBeNull();
    expect(await showSession(world.stores, session)).toEqual(record);
  });
});

describe("a transition of the archiver", () => {
  it("is refused when another generation is live", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 60);
    world.advance(61_000);
    await world.sweep(session.user, session.id);
    const anchor = (await world.stores.sessions.findAnchor(session))!;
    const transition = { from: null, to: null, active: -1 } as const;
    const wrong = { expect: { live: anchor.live_generation + 1 }, set: { state: "archived" } } as const;
    expect(await world.stores.sessions.transit(session, { ...transition, anchor: wrong })).toBe(false);
    expect(await world.stores.sessions.findAnchor(session)).toEqual(anchor);
  });
});

describe("a tombstone", () => {
  it("is marked and removed by its own generation only", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    await deleteSession(world.stores, session);
    const tombstone = (await world.stores.sessions.findAnchor(session))!;
    const other = { ...tombstone, generation: tombstone.generation - 1 };
    await world.stores.sessions.markPurged(other, "2027-01-01T00:00:00.000Z");
    await world.stores.sessions.removeTombstone(other);
    expect(await world.stores.sessions.findAnchor(session)).toEqual(tombstone);
  });
});

describe("a request that was begun for an earlier session with the same id", () => {
  const TWENTY_MINUTES = 1_200_000;

  /** Stores whose first transition waits until it is released: the function is frozen. */
  const frozen = () => holding("sessions", "transit");

  async function replaced(session: { user: string; id: string }): Promise<void> {
    await deleteSession(world.stores, session);
    await world.create(session.user, session.id, 600_000);
    await append(session, "new");
    world.advance(TWENTY_MINUTES);
    await world.create(session.user, `${session.id}-other`, 600);
  }

  it.each([
    ["DELETE", (stores: Stores, session: SessionId) => deleteSession(stores, session)],
    ["reset", (stores: Stores, session: SessionId) => resetSession(stores, session, { seed: "frozen" })],
    ["PATCH", (stores: Stores, session: SessionId) => patchSession(stores, session, { title: "old" }, undefined)],
  ])("changes nothing when its function continues after a pause: %s", async (_what, work) => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    const slow = frozen();
    const request = work(slow.stores, session);
    await slow.arrived;
    world.advance(TWENTY_MINUTES);
    await replaced(session);
    slow.release();
    await expect(request).rejects.toMatchObject({ code: "not_found" });
    expect((await showSession(world.stores, session)).title).toBeNull();
    await expectWhole(session, ["new"]);
  });

  it("stores no message when it is repeated late", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    const request = { seed: "a request with a key", at: world.stores.clock() };
    const send = () => appendMessages(world.stores, session, [{ role: "user", content: "old" }], request);
    await send();
    world.advance(TWENTY_MINUTES);
    await replaced(session);
    await expect(send()).rejects.toMatchObject({ code: "not_found" });
    await expectWhole(session, ["new"]);
  });
});

describe("the leftovers of a reset that was killed", () => {
  it("are deleted as early as before, although the session gets another lifetime", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 600_000);
    const dying = { ...world.stores.memories, forget: () => Promise.reject(new Error("died")) };
    const reset = resetSession({ ...world.stores, memories: dying }, session, { seed: "dying" });
    await expect(reset).rejects.toThrow("died");
    const due = (await world.stores.sessions.findAnchor(session))?.due_at;
    await patchSession(world.stores, session, { ttl_seconds: 0 }, undefined);
    expect(await world.stores.sessions.findAnchor(session)).toMatchObject({ due_at: due, cleanup: true });
    world.advance(16 * 60_000);
    await runReconciler();
    expect(await world.stores.sessions.findAnchor(session)).toMatchObject({ cleanup: false });
  });

  it("are deleted as early as before, although an expired session is written to", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 60);
    const dying = { ...world.stores.memories, forget: () => Promise.reject(new Error("died")) };
    const reset = resetSession({ ...world.stores, memories: dying }, session, { seed: "dying" });
    await expect(reset).rejects.toThrow("died");
    const due = (await world.stores.sessions.findAnchor(session))?.due_at;
    world.advance(61_000);
    await append(session, "later");
    expect(await world.stores.sessions.findAnchor(session)).toMatchObject({ due_at: due, cleanup: true });
  });
});

describe("an actor that takes longer than the reconciler waits", () => {
  it("loses no message as a restore, although the reconciler has deleted its copies", async () => {
    const session = fresh();
    await archived(session);
    const slow = holding("sessions", "transit");
    const restore = restoreSession(slow.stores, session);
    await slow.arrived;
    world.advance(16 * 60_000);
    await runReconciler();
    slow.release();
    await restore;
    await expectWhole(session, ["old"]);
  });

  it("writes no stub as an archiver, when the session was restored, written to and has expired again", async () => {
    const session = fresh();
    await world.create(session.user, session.id, 60);
    await append(session, "old");
    world.advance(61_000);
    const first = await world.sweep(session.user, session.id);
    const slow = holding("archive", "write");
    const { createArchiveJob } = await import("../../../functions/jobs/archive.ts");
    const job = createArchiveJob(slow.stores, { mark: async () => undefined })({ Records: [first!] });
    await slow.arrived;
    await append(session, "new");
    world.advance(61_000);
    const second = await world.sweep(session.user, session.id);
    slow.release();
    await job;
    expect((await read(session)).toSorted()).toEqual(["new", "old"]);
    await world.archiveJob({ Records: [second!] });
    expect((await read(session)).toSorted()).toEqual(["new", "old"]);
    expect((await world.cold(session.user, session.id)).toSorted()).toEqual(["new", "old"]);
  });
});
