import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createArchiveJob } from "../../../functions/jobs/archive.ts";
import { compileFilter } from "../../../infra/local/events/filter-pattern.ts";
import { newSessionRecords } from "../../../infra/stream-filters.ts";
import { noRecorder } from "../../../shared/metrics/recorder.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { limitSessions } from "../../../shared/session/limit-sessions.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import type { SessionStore } from "../../../shared/session/store.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createStream } from "../../support/stream.ts";
import { createWorld, type World } from "../../support/world.ts";

vi.spyOn(console, "log").mockImplementation(() => undefined);

const HOUR = 3600;

let engines: Engines;
let world: World;
let users = 0;
let user: string;
beforeAll(async () => {
  engines = await startEngines();
  world = createWorld(engines);
});
afterAll(() => engines.close());
beforeEach(() => {
  user = `user-${users++}`;
});

/** Creates sessions, one minute after the other. */
async function begin(...ids: string[]): Promise<void> {
  for (const id of ids) {
    world.advance(60_000);
    await world.create(user, id, 24 * HOUR, 1);
  }
}

async function active(): Promise<string[]> {
  const query = { status: "active", order: "asc", limit: 100, now: world.stores.clock() } as const;
  return (await world.stores.sessions.list(user, query)).records.map(({ id }) => id);
}

const limit = (most: number, ...begun: string[]) => limitSessions(world.stores, user, most, new Set(begun));

describe("the limit of a user's sessions", () => {
  it("expires the sessions that are idle longest, and they are archived completely", async () => {
    await begin("a", "b", "c", "d");
    expect(await limit(2, "d")).toBe(2);
    expect(await active()).toEqual(["c", "d"]);
    await world.archiveJob({ Records: [(await world.sweep(user, "a"))!, (await world.sweep(user, "b"))!] });
    expect(await world.cold(user, "a")).toEqual(["message 0 of a"]);
    expect(await limit(2)).toBe(0);
  });

  it("counts idle time from the last write, and does not affect other users", async () => {
    await begin("a", "b", "c");
    const other = user;
    user = `${other}-else`;
    await begin("x");
    user = other;
    world.advance(60_000);
    await patchSession(world.stores, { user, id: "a" }, { title: "still used" }, undefined);
    await limit(2, "c");
    expect(await active()).toEqual(["c", "a"]);
    user = `${other}-else`;
    expect(await active()).toEqual(["x"]);
  });

  it("never expires a pinned session or the one used last, although both count", async () => {
    await begin("a", "b", "c");
    for (const id of ["a", "b"]) {
      await patchSession(world.stores, { user, id }, { pinned: true }, undefined);
    }
    expect(await limit(1, "c")).toBe(0);
    await begin("d");
    expect(await limit(1, "d")).toBe(1);
    expect(await active()).toEqual(["a", "b", "d"]);
  });

  it("does not count a session that was deleted before its record came", async () => {
    await begin("a", "b");
    await deleteSession(world.stores, { user, id: "b" });
    expect(await limit(1, "b")).toBe(0);
    expect(await active()).toEqual(["a"]);
  });

  it("counts a new session that the index does not show yet", async () => {
    await begin("a", "b");
    const list: SessionStore["list"] = async (...args) => {
      const page = await world.stores.sessions.list(...args);
      return { ...page, records: page.records.filter(({ id }) => id !== "b") };
    };
    const stores = { ...world.stores, sessions: { ...world.stores.sessions, list } };
    expect(await limitSessions(stores, user, 1, new Set(["b"]))).toBe(1);
    expect(await active()).toEqual(["b"]);
  });

  it("keeps a session that is written to meanwhile", async () => {
    await begin("a", "b", "c");
    const find: SessionStore["find"] = async (session) => {
      if (session.id === "a") {
        world.advance(1000);
        await patchSession(world.stores, session, { title: "now" }, undefined);
      }
      return world.stores.sessions.find(session);
    };
    const stores = { ...world.stores, sessions: { ...world.stores.sessions, find } };
    expect(await limitSessions(stores, user, 2, new Set(["c"]))).toBe(1);
    expect(await active()).toEqual(["c", "a"]);
  });

  it("does not expire too many sessions when another run acts at any of its calls", async () => {
    for (let call = 0; ; call++) {
      const ids = ["a", "b", "c", "d", "e"].map((id) => `${id}-${call}`);
      user = `pair-${call}`;
      await begin(...ids);
      let calls = 0;
      const sessions = new Proxy(world.stores.sessions, {
        get(target, name: keyof SessionStore) {
          const method = target[name] as (...args: unknown[]) => Promise<unknown>;
          return async (...args: unknown[]) => {
            if (calls++ === call) await limit(3, ids[4]!);
            return method(...args);
          };
        },
      });
      await limitSessions({ ...world.stores, sessions }, user, 3, new Set([ids[3]!]));
      expect([call, await active()]).toEqual([call, ids.slice(2)]);
      if (calls <= call) break;
    }
  });

  it("is kept after a crash at any call and the next delivery of the record", async () => {
    for (let n = 0; ; n++) {
      user = `crash-${n}`;
      await begin("a", "b", "c", "d");
      const crashed = await world.crashing(n, "after", () => limit(2, "d"));
      await limit(2, "d");
      expect([n, await active()]).toEqual([n, ["c", "d"]]);
      if (!crashed) break;
    }
  });
});

describe("the archiver of a deployment with a limit", () => {
  it("applies the limit to sessions that begin in any way, and does nothing without a limit", async () => {
    const nextRecords = await createStream(engines, "jobs-archive", [newSessionRecords]);
    const changes = { mark: async () => undefined };
    const limited = createArchiveJob(world.stores, changes, noRecorder, 2);
    const unlimited = createArchiveJob(world.stores, changes);
    await begin("a", "b", "c");
    const Records = await nextRecords();
    expect(Records.filter(compileFilter(newSessionRecords)).length).toBeGreaterThanOrEqual(3);
    expect(await unlimited({ Records })).toEqual({ batchItemFailures: [] });
    expect(await active()).toEqual(["a", "b", "c"]);
    expect(await limited({ Records })).toEqual({ batchItemFailures: [] });
    expect(await active()).toEqual(["b", "c"]);

    // A restored session counts, too.
    await limited({ Records: [(await world.sweep(user, "a"))!] });
    world.advance(60_000);
    await restoreSession(world.stores, { user, id: "a" });
    await limited({ Records: await nextRecords() });
    expect(await active()).toEqual(["c", "a"]);
  });
});
