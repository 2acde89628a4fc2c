import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createArchivedDays } from "../../../shared/archive/archived-days.s3.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createEvent } from "../../../shared/events/create-event.ts";
import { createEventStore } from "../../../shared/events/event-store.dynamodb.ts";
import { createFile } from "../../../shared/files/manage-files.ts";
import { buildDay } from "../../../shared/lake/build-day.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import { recentErasures } from "../../../shared/privacy/erasure.ts";
import { isSigned } from "../../../shared/privacy/receipt.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";
import { readPartition } from "../../support/partition.ts";
import { storedTexts } from "../../support/stored-texts.ts";

let engines: Engines;
let world: MemoryWorld;
let erasing: ReturnType<typeof createErasureWorld>;
const users: string[] = [];
beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
  erasing = createErasureWorld(engines, world);
}, 60_000);
afterAll(() => engines.close());

/** A word that stands in every text of a user, and nowhere else. */
const markOf = (user: string) => `mark${user}mark`;

/** Gives a user sessions in every state, with the user's mark in every field that takes text. */
async function live(user: string): Promise<void> {
  users.push(user);
  const { stores } = world;
  const mark = markOf(user);
  let requests = 0;
  const request = () => ({ seed: `${user} ${requests++}`, at: stores.clock() });
  const say = async (id: string, more: object = {}) =>
    appendMessages(
      stores,
      { user, id },
      [{ role: "user", content: `I am ${mark} in ${id}`, name: mark, metadata: { mark }, ...more }],
      request(),
    );
  for (const id of ["active", "archived", "restored", "branched", "limbo", "deleted"]) {
    const lasts = ["active", "branched", "deleted"].includes(id);
    await createSession(
      stores,
      user,
      { id, title: mark, metadata: { mark }, ttl_seconds: lasts ? 864_000 : 60 },
      request(),
      60,
    );
    await say(id, { id: "first" });
  }
  await say("branched", { parent_id: null });
  const parts = [
    { type: "text", text: mark },
    { type: "file", data: `data:text/plain,${mark}`, filename: `${mark}.txt` },
  ];
  await say("active", { parts, content: undefined });
  await createFile(world, user, { filename: mark, media_type: "text/plain", bytes: 4 }, request());
  await world.deliver(user, "active", "branched");
  const metrics = createTable(engines.dynamodb, engines.metricsTable);
  // The name of an event is a dimension of metrics, which all users share.
  const event = { type: "feedback", value: 1, name: "rating", metadata: { mark } } as const;
  await createEvent({ events: createEventStore(metrics), ...stores }, user, event, request());
  world.advance(61_000);
  const records = [];
  for (const id of ["archived", "restored", "limbo"]) records.push((await world.sweep(user, id))!);
  await world.archiveJob({ Records: records.slice(0, 2) });
  await restoreSession(stores, { user, id: "restored" });
  await deleteSession(stores, { user, id: "deleted" });
}

async function buildLake(): Promise<void> {
  const ports = {
    archived: createArchivedDays(engines.s3, engines.bucket),
    lake: createLake(engines.s3, engines.bucket),
    findErasures: () => recentErasures(erasing.deps.erasures),
    settings: { pseudonym: createPseudonyms("a key"), content: "full" as const },
  };
  await buildDay(ports, { day: DAY, aged: false }, world.stores.clock());
}

const DAY = "2026-11-21";

/** Everything that is stored, as text, with the rows of the lake. */
async function stored(): Promise<string> {
  const texts = await storedTexts(engines);
  for (const table of ["messages", "session_summaries"] as const) {
    const rows = await readPartition(engines, table, DAY);
    texts.push(
      ...rows.map((row) => JSON.stringify(row, (_name, value) => (typeof value === "bigint" ? Number(value) : value))),
    );
  }
  return texts.join("\n");
}

const count = (text: string, word: string) => text.split(word).length - 1;

describe("the marks of users", () => {
  it("are gone from every store after an erasure, and those of other users are all there", {
    timeout: 60_000,
  }, async () => {
    for (const user of ["one", "two", "three"]) await live(user);
    await buildLake();
    const before = await stored();
    for (const user of users) expect(count(before, markOf(user))).toBeGreaterThan(20);
    expect((await readPartition(engines, "messages", DAY)).length).toBe(3);
    const receipt = await erasing.erase("two");
    const after = await stored();
    expect(isSigned(receipt)).toBe(true);
    expect(count(after, markOf("two"))).toBe(0);
    for (const user of ["one", "three"]) expect(count(after, markOf(user))).toBe(count(before, markOf(user)));
    // The rows of the lake name the user by a hash.
    expect((await readPartition(engines, "messages", DAY)).length).toBe(2);
    // Only the erasure itself still names the user, until no upload URL is valid any more.
    expect(after.split("\n").filter((line) => line.includes('"two"') || line.includes("U#two"))).toHaveLength(1);
    world.advance(2 * 3_600_000);
    await erasing.run();
    expect((await stored()).includes('"two"')).toBe(false);
    expect(await erasing.receipt(receipt.id)).toEqual(receipt);
  });

  it.each(["before", "after"] as const)(
    "are gone also when the job crashes %s any of its calls",
    {
      timeout: 240_000,
    },
    async (kind) => {
      const user = `crash${kind}`;
      await live(user);
      await buildLake();
      const { id } = await erasing.request(user);
      let crashes = 0;
      // Each run dies one call later than the one before, and the lease of the dead run ends.
      for (let n = 0, isRunning = true; isRunning; n++) {
        world.advance(n === 0 ? GRACE : 121_000);
        const crashed = await world.crashing(n, kind, () => erasing.run()).catch(() => true);
        if (crashed) crashes++;
        isRunning = (await erasing.receipt(id)).status === "running";
      }
      expect(crashes).toBeGreaterThan(50);
      expect(count(await stored(), markOf(user))).toBe(0);
      const { stores } = await erasing.receipt(id);
      expect(stores.filter(({ remaining }) => remaining > 0)).toEqual([]);
    },
  );

  it("are gone when the user writes until the erasure begins and requests it twice", async () => {
    await live("busy");
    const [first, second] = [await erasing.request("busy"), await erasing.request("busy")];
    expect(second.id).toBe(first.id);
    await erasing.run();
    // A request that began before the erasure writes after the sweep.
    await world.say("busy", "late", `I am ${markOf("busy")}, too late.`);
    world.advance(GRACE);
    await erasing.run();
    const receipt = await erasing.receipt(first.id);
    expect([receipt.status, count(await stored(), markOf("busy"))]).toEqual(["complete", 0]);
    // The user begins again.
    await world.say("busy", "again", "Hello.");
    expect(await world.hot("busy", "again")).toEqual(["Hello."]);
    expect((await erasing.request("busy")).id).not.toBe(first.id);
  });
});
