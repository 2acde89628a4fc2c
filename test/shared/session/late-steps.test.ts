/** A step that is late changes nothing of what another actor did in between. Each test fails when the guard that it names is taken away. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { AppError } from "../../../shared/errors.ts";
import { remember } from "../../../shared/memory/remember.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import type { SessionId } from "../../../shared/session/session.ts";
import type { Stores } from "../../../shared/session/store.ts";
import { LINEAR } from "../../../shared/session/tree.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";

const USER = "ann";
const HOUR = 3_600_000;

let engines: Engines;
let world: MemoryWorld;
let sessions = 0;
beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
});
afterAll(() => engines.close());

const append = (session: SessionId, content: string) =>
  appendMessages(world.stores, session, [{ role: "user", content }], { seed: content, at: world.stores.clock() });

async function createWith(content: string, ttlSeconds = 600_000): Promise<SessionId> {
  const session = { user: USER, id: `late-${sessions++}` };
  await world.create(session.user, session.id, ttlSeconds);
  await append(session, content);
  return session;
}

async function read(session: SessionId): Promise<string[]> {
  const page = await listMessages(world.stores, session, { order: "asc", limit: 100 });
  return page.messages.map(({ content }) => content);
}

/** A reset whose function stops before it deletes the old messages: the session needs a cleanup. */
async function resetHalfway(session: SessionId, seed: string): Promise<void> {
  const stop = () => Promise.reject(new AppError("unavailable", "the function was stopped"));
  const stopping = { ...world.stores, messages: { ...world.stores.messages, clear: stop } };
  await resetSession(stopping, session, { seed }).catch(() => undefined);
}

const runReconciler = (stores: Stores) =>
  reconcile(stores, world.stores.clock() + HOUR, (error) => {
    throw error;
  });

/** Stores in which another actor does its work right before the first call of a method for this session. */
function interrupted<P extends "sessions" | "messages">(
  port: P,
  method: keyof Stores[P],
  session: SessionId,
  work: () => Promise<unknown>,
): Stores {
  const original = world.stores[port][method] as (...args: unknown[]) => unknown;
  let isDone = false;
  const instead = async (...args: [SessionId, ...unknown[]]) => {
    if (!isDone && args[0].id === session.id) {
      isDone = true;
      await work();
    }
    return original(...args);
  };
  return { ...world.stores, [port]: { ...world.stores[port], [method]: instead } };
}

it("the reconciler keeps messages of a generation that is newer than the anchor it has read", async () => {
  const session = await createWith("old");
  await resetHalfway(session, "first");
  world.advance(2 * HOUR);
  await runReconciler(
    interrupted("messages", "clear", session, async () => {
      await resetHalfway(session, "second");
      await append(session, "new");
    }),
  );
  expect(await read(session)).toEqual(["new"]);
});

it("the reconciler keeps an archive object of the generation that is live, because its archiver may be about to write the stub", async () => {
  const session = await createWith("old");
  await resetHalfway(session, "reset");
  await append(session, "kept");
  const anchor = (await world.stores.sessions.findAnchor(session))!;
  await world.stores.archive.write({ ...anchor, tree: LINEAR }, () =>
    world.stores.messages.all(session, anchor.live_generation),
  );
  world.advance(2 * HOUR);
  await runReconciler(world.stores);
  expect(await world.stores.archive.find(anchor)).toHaveLength(1);
});

it("the reconciler does not mark a session as clean when it was reset in between", async () => {
  const session = await createWith("old");
  await resetHalfway(session, "first");
  world.advance(2 * HOUR);
  await runReconciler(interrupted("sessions", "schedule", session, () => resetHalfway(session, "second")));
  expect(await world.stores.sessions.findAnchor(session)).toMatchObject({ cleanup: true });
});

it("a late record of an expired stub does not affect a later archived session with the same id", async () => {
  const session = await createWith("old", 60);
  world.advance(61_000);
  await world.archiveJob({ Records: [(await world.sweep(session.user, session.id))!] });
  world.advance(366 * 24 * HOUR);
  const late = (await world.sweep(session.user, session.id))!;
  for (let round = 0; round < 3; round++) {
    world.advance(80 * HOUR);
    await runReconciler(world.stores);
  }
  await world.create(session.user, session.id, 60);
  await append(session, "new");
  world.advance(61_000);
  await world.archiveJob({ Records: [(await world.sweep(session.user, session.id))!] });
  await world.archiveJob({ Records: [late] });
  expect(await read(session)).toEqual(["new"]);
});

it("no message becomes a memory when its session is deleted while it is being remembered", async () => {
  const session = await createWith("The lantern is green.");
  const { messages } = await listMessages(world.stores, session, { order: "asc", limit: 100 });
  const { generation } = (await world.stores.sessions.find(session))!;
  const memories = {
    ...world.deps.memories,
    layout: async () => {
      await deleteSession(world.stores, session);
      return world.deps.memories.layout();
    },
  };
  const [message] = messages;
  await remember({ ...world.deps, memories }, USER, [{ session, generation, message: message! }]);
  expect(await world.stored(session.user, session.id)).toEqual([]);
});

it("a change of settings during many writes loses none of them, also when it changes only the expiry", async () => {
  const session = await createWith("old");
  // The header changes before each of the first attempts, so later ones allow other writes.
  const sessions = { ...world.stores.sessions, transit: async () => false };
  world.advance(1000);
  const shown = await patchSession({ ...world.stores, sessions }, session, {}, undefined);
  expect(shown).toMatchObject({ message_count: 1, updated_at: new Date(world.stores.clock()).toISOString() });
  const titled = await patchSession({ ...world.stores, sessions }, session, { title: "new" }, undefined);
  expect(titled).toMatchObject({ title: "new", message_count: 1 });
  expect(await world.stores.sessions.findAnchor(session)).toMatchObject({ title: "new" });
});
