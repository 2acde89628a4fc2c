import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { type Api, startApi } from "../../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const HOUR = 3_600_000;
const run = (deadline = api.world.stores.clock() + HOUR) => {
  const errors: unknown[] = [];
  return reconcile(api.world.stores, deadline, (error) => errors.push(error)).then((result) => ({ ...result, errors }));
};
const NOTHING = { looked: 0, archived: 0, cleaned: 0, deleted: 0, failed: 0, complete: true, errors: [] };

/** Sessions whose headers TTL has deleted, and whose stream records got lost. */
async function lost(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `lost-${names++}`);
  for (const id of ids) await api.world.create("ann", id, 60, 2);
  api.world.advance(61_000);
  for (const id of ids) await api.world.sweep("ann", id);
  return ids;
}

describe("the reconciler", () => {
  it("does nothing, at a cost that does not depend on the number of sessions, when nothing is due", async () => {
    for (let n = 0; n < 20; n++) await api.world.create("ann", `idle-${n}`, 100_000);
    expect(await api.world.counting(run)).toBe(16);
    expect(await run()).toEqual(NOTHING);
  });

  it("archives a session that the archiver has missed when it is due, and not before", async () => {
    const ids = await lost(3);
    expect(await run()).toEqual(NOTHING);
    api.world.advance(HOUR);
    expect(await run()).toEqual({ ...NOTHING, looked: 3, archived: 3 });
    for (const id of ids) {
      expect((await api.get(`/v1/sessions/${id}`)).body).toMatchObject({ status: "archived", message_count: 2 });
      expect([(await api.world.hot("ann", id)).length, (await api.world.cold("ann", id)).length]).toEqual([0, 2]);
    }
    expect(await run()).toEqual(NOTHING);
  });

  it("stops at its deadline and continues with the next run", async () => {
    await lost(20);
    api.world.advance(HOUR);
    expect(await run(api.world.stores.clock() - 1)).toEqual({ ...NOTHING, complete: false });
    expect(await run()).toMatchObject({ archived: 20, complete: true });
  });

  it("reports a session that it cannot finish, continues with the others, and tries again", async () => {
    const ids = await lost(3);
    api.world.advance(HOUR);
    api.faults.next({ operation: "TransactWriteItems", when: "before", name: "InternalServerError", attempts: 2 });
    const { archived, failed, errors } = await run();
    expect([archived + failed, errors.length]).toEqual([3, failed]);
    expect(failed).toBeGreaterThan(0);
    expect((await run()).failed).toBe(0);
    for (const id of ids) expect(await api.world.cold("ann", id)).toHaveLength(2);
  });

  it("removes an archive that has expired, and frees its id", async () => {
    const [id] = await lost(1);
    api.world.advance(HOUR);
    await run();
    api.world.advance(400 * 24 * HOUR);
    expect((await api.get(`/v1/sessions/${id}`)).status).toBe(404);
    for (let n = 0; n < 3; n++) {
      await run();
      api.world.advance(2 * HOUR);
    }
    expect(await api.world.stores.sessions.findAnchor({ user: "ann", id: id! })).toBeNull();
    expect(await api.world.cold("ann", id!)).toEqual([]);
    expect((await api.post("/v1/sessions", { id })).status).toBe(201);
  });
});
