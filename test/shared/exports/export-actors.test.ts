/** Lets another actor act at every call that an export makes. */
import { ListMultipartUploadsCommand, ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import { paginateScan } from "@aws-sdk/lib-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createBuildExportJob } from "../../../functions/jobs/build-export.ts";
import { isSigned } from "../../../shared/privacy/receipt.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { createExportWorld } from "../../support/export-world.ts";
import { type Api, startApi } from "../../support/start-api.ts";

vi.mock("../../../shared/clock.ts", async (original) => ({
  ...(await original<object>()),
  backOff: async () => undefined,
}));

let api: Api;
let world: ReturnType<typeof createExportWorld>;
let round = 0;
beforeEach(async () => {
  await api?.close();
  api = await startApi();
  world = createExportWorld(api);
});
afterAll(() => api.close());

/** Two sessions of a new user, of which one expires. */
async function live(): Promise<string> {
  const user = `user${round++}`;
  await api.world.create(user, "stays", 0, 2);
  await api.world.create(user, "moves", 60, 3);
  api.world.advance(61_000);
  deleted = null;
  return user;
}

/** The stream record of the session that TTL has deleted. */
let deleted: DynamoDBRecord | null = null;
const sweep = async (user: string) => {
  deleted = await api.world.sweep(user, "moves");
};
const archive = async (user: string) => {
  if (!deleted) await sweep(user);
  await api.world.archiveJob({ Records: [deleted!] });
  deleted = null;
};
const restore = (user: string) => restoreSession(api.world.stores, { user, id: "moves" });

const linesOf = async (user: string, id: string) =>
  (await world.read(id, user)).linesOf("sessions").map((line) => line.content ?? line.id);

const whole = [
  "moves",
  ...[0, 1, 2].map((n) => `message ${n} of moves`),
  "stays",
  ...[0, 1].map((n) => `message ${n} of stays`),
];

describe("an export holds every session whole", () => {
  it("that TTL has deleted and the archiver has not archived yet", async () => {
    const user = await live();
    await sweep(user);
    const { linesOf, manifest } = await world.export(user);
    expect(linesOf("sessions").map((line) => line.content ?? line.id)).toEqual(whole);
    expect(linesOf("states").map(({ id, status }) => [id, status])).toEqual([
      ["moves", "archived"],
      ["stays", "active"],
    ]);
    expect(manifest.counts).toMatchObject({ sessions: 2, messages: 5 });
  });

  it("that is archived while the ids are collected, so that its anchor moves in the index of anchors", async () => {
    const user = await live();
    await sweep(user);
    const { id } = (await api.post("/v1/exports", undefined, { user })).body;
    const { stores } = api.world;
    const sessions = {
      ...stores.sessions,
      async *all() {
        await archive(user);
        yield [];
      },
    };
    await world.deliver(user, createBuildExportJob({ ...world.deps, stores: { ...stores, sessions } }));
    expect(await linesOf(user, id)).toEqual(whole);
  });

  it.each([
    ["is deleted by TTL", undefined, sweep],
    ["is archived, after TTL has deleted it,", sweep, archive],
    ["is restored", archive, restore],
  ] as const)("that %s at any call of the export", { timeout: 240_000 }, async (_what, before, other) => {
    let calls = 0;
    for (let isReached = true; isReached; calls++) {
      const user = await live();
      await before?.(user);
      const { id } = (await api.post("/v1/exports", undefined, { user })).body;
      isReached = await api.world.interleaved(
        calls,
        () => world.deliver(user),
        () => other(user),
      );
      expect([calls, await linesOf(user, id)]).toEqual([calls, whole]);
    }
    expect(calls).toBeGreaterThan(20);
  });
});

it("a session that is deleted at any call of an export is in the export completely or not at all", {
  timeout: 240_000,
}, async () => {
  const seen = new Set<number>();
  for (let calls = 0, isReached = true; isReached; calls++) {
    const user = `user${round++}`;
    await api.world.create(user, "stays", 0, 2);
    await api.world.create(user, "moves", 0, 3);
    const { id } = (await api.post("/v1/exports", undefined, { user })).body;
    isReached = await api.world.interleaved(
      calls,
      () => world.deliver(user),
      async () => expect((await api.del("/v1/sessions/moves", { user })).status).toBe(204),
    );
    const lines = await linesOf(user, id);
    expect([calls, lines]).toEqual([calls, whole.slice(lines[0] === "moves" ? 0 : 4)]);
    seen.add(lines.length);
  }
  expect(seen).toEqual(new Set([3, 7]));
});

describe("an erasure that begins while an export runs", () => {
  it("leaves nothing of the export, whichever call of the export it meets", { timeout: 240_000 }, async () => {
    const erasing = createErasureWorld(api.engines, api.world);
    for (let n = 0, isReached = true; isReached; n++) {
      const user = await live();
      await api.post("/v1/exports", undefined, { user });
      let id = "";
      isReached = await api.world.interleaved(
        n,
        () => world.deliver(user).catch(() => undefined),
        async () => {
          id = (await erasing.request(user)).id;
          await erasing.run();
        },
      );
      if (!isReached) break;
      // The stream delivers again what has failed.
      await world.deliver(user);
      api.world.advance(GRACE);
      await erasing.run();
      const receipt = await erasing.receipt(id);
      expect([n, receipt.status, isSigned(receipt)]).toEqual([n, "complete", true]);
      expect(receipt.stores.filter(({ remaining }) => remaining > 0)).toEqual([]);
      expect([n, await stored(user)]).toEqual([n, []]);
    }
  });
});

/** Everything that names a user in the table of exports and below `exports/`, with older versions. */
async function stored(user: string): Promise<string[]> {
  const { s3, bucket: Bucket, dynamodb: client, exportTable: TableName } = api.engines;
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: `exports/${user}/` }));
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: `exports/${user}/` }));
  const found = [...Versions, ...Uploads].map(({ Key = "" }) => Key);
  for await (const { Items = [] } of paginateScan({ client }, { TableName }))
    found.push(...Items.map((item) => JSON.stringify(item)).filter((text) => text.includes(`U#${user}#`)));
  return found;
}
