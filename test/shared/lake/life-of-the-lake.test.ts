import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError } from "../../../shared/errors.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake-world.ts";

let engines: Engines;
let lake: LakeWorld;
let runs = 0;

beforeAll(async () => {
  engines = await startEngines();
  lake = await createLakeWorld(engines, { maxSessions: 2 });
});
afterAll(async () => {
  lake.close();
  await engines.close();
});

const HOUR = 3_600_000;

type Verb =
  | "write"
  | "expire"
  | "restore"
  | "reset"
  | "delete"
  | "tomorrow"
  | "reconcile"
  | "deliver"
  | "build"
  | "crash";

interface Step {
  verb: Verb;
  /** Number of the session. */
  n: number;
  /** The call to an engine at which the builder crashes. `after` = the call is still made. */
  at: number;
  kind: "before" | "after";
}

const step = fc.record<Step>({
  verb: fc.oneof(
    { weight: 6, arbitrary: fc.constant<Verb>("write") },
    { weight: 6, arbitrary: fc.constant<Verb>("expire") },
    { weight: 4, arbitrary: fc.constantFrom<Verb>("restore", "delete", "reset") },
    { weight: 6, arbitrary: fc.constantFrom<Verb>("crash", "build") },
    { weight: 2, arbitrary: fc.constantFrom<Verb>("deliver", "tomorrow", "reconcile") },
  ),
  n: fc.nat(2),
  at: fc.nat(20),
  kind: fc.constantFrom("before", "after"),
});

describe("after random changes of sessions and crashes of builders", () => {
  it("the lake equals the archive, and archive and table together hold every message that was written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 30 }), async (steps) => {
        const written = new Map<string, string[]>();
        const prefix = `r${runs++}`;
        for (const each of steps) {
          await take(each, `${prefix}s${each.n}`, written);
          if (each.verb === "crash" || each.verb === "build") await expectReadable();
        }
        await lake.deliver();
        lake.world.advance(HOUR);
        await finishAll();
        await lake.deliver();
        expect(await lake.build()).toMatchObject({ failed: 0 });

        await expectEqualToArchive();
        for (const [id, contents] of written) {
          const kept = [...(await lake.world.hot(userOf(id), id)), ...(await lake.world.cold(userOf(id), id))];
          expect(kept.sort()).toEqual([...contents].sort());
        }
        expect(await lake.world.counting(() => lake.build())).toBe(2);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  }, 60_000);
});

const userOf = (id: string): string => (id.endsWith("0") || id.endsWith("1") ? "ann" : "bob");

async function take({ verb, at, kind }: Step, id: string, written: Map<string, string[]>): Promise<void> {
  const { world } = lake;
  const user = userOf(id);
  const session = { user, id };
  switch (verb) {
    case "write": {
      if (!written.has(id)) {
        await world.create(user, id);
        written.set(id, []);
      }
      const contents = written.get(id)!;
      const content = `${id} ${contents.length} ${written.size}`;
      const request = { seed: `${content} ${world.stores.clock()}`, at: world.stores.clock() };
      await appendMessages(world.stores, session, [{ role: "user", content }], request);
      contents.push(content);
      break;
    }
    case "expire": {
      world.advance(61_000);
      const record = await world.sweep(user, id);
      if (record) await world.archiveJob({ Records: [record] });
      break;
    }
    case "restore":
      await unlessGone(restoreSession(world.stores, session));
      break;
    case "reset":
      if (await unlessGone(resetSession(world.stores, session, { seed: randomUUID() }))) written.set(id, []);
      break;
    case "delete":
      // A new session with the same id is another session, which the model does not follow.
      if (written.get(id)?.length && (await unlessGone(deleteSession(world.stores, session)))) {
        written.delete(id);
      }
      break;
    case "tomorrow":
      world.advance(24 * HOUR);
      break;
    case "reconcile":
      await finishAll();
      break;
    case "deliver":
      await lake.deliver();
      break;
    case "build":
      await lake.deliver();
      await lake.build();
      break;
    case "crash":
      await lake.deliver();
      await world.crashing(at, kind, () => lake.build());
      break;
  }
}

/** Runs the reconciler. */
async function finishAll(): Promise<void> {
  expect(await reconcile(lake.world.stores, Number.POSITIVE_INFINITY, () => undefined)).toMatchObject({ failed: 0 });
}

/** Returns false if there is no such session. */
async function unlessGone(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return false;
    throw error;
  }
}

/** Sessions are complete and without duplicates, and every archived message is in `messages_all` once, built or not. */
async function expectReadable(): Promise<void> {
  expect(
    await lake.sql("select message_id from messages group by session_key, message_id having count(*) > 1"),
  ).toEqual([]);
  expect(await lake.sql("select session_key from messages group by 1 having count(*) <> max(position) + 1")).toEqual(
    [],
  );
  const all = await lake.sql("select content from messages_all");
  const found = new Map<unknown, number>();
  for (const { content } of all) found.set(content, (found.get(content) ?? 0) + 1);
  for (const { content } of await archivedMessages()) expect(found.get(content)).toBe(1);
}

const archivedMessages = () =>
  lake.sql(
    "select dt, session_key, session_id, id as message_id, content from archive_lines where type = 'message' order by all",
  );

async function expectEqualToArchive(): Promise<void> {
  const archived = await archivedMessages();
  const columns = "dt, session_key, session_id, message_id, content";
  expect(await lake.sql(`select ${columns} from messages order by all`)).toEqual(archived);
  expect(await lake.sql(`select ${columns} from messages_all order by all`)).toEqual(archived);
  const sessions = `select dt, session_key, generation, count(*) - 1 as message_count
    from archive_lines group by 1, 2, 3 order by all`;
  expect(
    await lake.sql("select dt, session_key, generation, message_count from session_summaries order by all"),
  ).toEqual(await lake.sql(sessions));
}
