import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { partitionKey } from "../../../shared/lake/tables.ts";
import { createLakeEraser } from "../../../shared/privacy/erase-lake.ts";
import { createObjectErasers, createVersions } from "../../../shared/privacy/erase-objects.s3.ts";
import type { Eraser } from "../../../shared/privacy/erasure.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { readPartition } from "../../support/partition.ts";
import { withVersions } from "../../support/versioned-s3.ts";

const DAY = "2026-11-21";

let engines: Engines;
let s3: ReturnType<typeof withVersions>;
let erasers: Eraser[];
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());
beforeEach(() => {
  s3 = withVersions(engines.s3, engines.bucket);
  erasers = createObjectErasers(createVersions(s3.client, engines.bucket), "ann");
});

const put = (Key: string, Body = "x") => s3.client.send(new PutObjectCommand({ Bucket: engines.bucket, Key, Body }));
const remove = (Key: string) => s3.client.send(new DeleteObjectCommand({ Bucket: engines.bucket, Key }));
const never = () => false;

async function search(): Promise<Record<string, number>> {
  return Object.assign({}, ...(await Promise.all(erasers.map((each) => each.search(true)))));
}
const erase = () => Promise.all(erasers.map((each) => each.erase(true, never)));

describe("in a bucket that keeps older versions, an erasure", () => {
  it("deletes all versions and delete markers of the user on all pages of the list, and nothing of others", async () => {
    const days = ["2026-11-19", "2026-11-20", DAY];
    for (const user of ["ann", "anna"]) {
      for (const day of days) {
        await put(`archive/dt=${day}/${user}/s.jsonl.gz`, "1");
        await put(`archive/dt=${day}/${user}/s.jsonl.gz`, "2");
      }
      await remove(`archive/dt=${DAY}/${user}/s.jsonl.gz`);
      await put(`files/${user}/f`);
      await remove(`files/${user}/f`);
      await put(`exports/${user}/e.zip`);
    }
    const others = s3.stored().filter((version) => version.includes("/anna/"));
    expect(others).toHaveLength(10);
    expect(await search()).toEqual({ "archived sessions": 7, "contents of files": 2, "contents of exports": 1 });
    await erase();
    expect(await search()).toEqual({ "archived sessions": 0, "contents of files": 0, "contents of exports": 0 });
    expect(s3.stored()).toEqual(others);
  });

  it("deletes in the next attempt the versions whose deletion S3 has refused", async () => {
    for (const content of ["1", "2", "3"]) await put("files/ann/f", content);
    s3.refuse(1);
    await search();
    await expect(erase()).rejects.toMatchObject({ code: "unavailable" });
    expect((await search())["contents of files"]).toBeGreaterThan(0);
    await erase();
    expect(s3.stored()).toEqual([]);
  });
});

describe("in a lake that keeps older versions, an erasure", () => {
  const none = { name: null, session_id: null, message_id: null, value: null, metadata: null };
  const event = { ...none, type: "custom", created_at: Date.parse(DAY) };
  const hash = (user: string) => `hash of ${user}`;

  async function build(...users: string[]): Promise<void> {
    const lake = createLake(s3.client, engines.bucket);
    const stored = await lake.find("events", DAY);
    const writer = lake.begin("events", DAY, users.join(), stored?.etag ?? null);
    for (const user of users) await writer.add({ ...event, event_id: user, user_hash: hash(user) });
    expect(await writer.commit()).toBe(true);
  }

  const rows = async () => (await readPartition(engines, "events", DAY)).map(({ user_hash }) => user_hash);

  function eraserOf(user: string): Eraser {
    const lake = createLake(s3.client, engines.bucket);
    return createLakeEraser(createVersions(s3.client, engines.bucket), lake, hash)(user);
  }

  it("deletes older versions that have rows of the user, and keeps the other versions", async () => {
    const key = partitionKey("events", DAY);
    await build("bob");
    await build("ann", "bob");
    await build("bob", "ann", "cid");
    const { search, erase } = eraserOf("ann");
    expect(await search(true)).toEqual({ "rows of the lake": 2 });
    await erase(true, never);
    expect(await rows()).toEqual([hash("bob"), hash("cid")]);
    expect(await search(true)).toEqual({ "rows of the lake": 0 });
    expect(s3.stored()).toEqual([`${key} v4`, `${key} v1`]);
  });

  it("does not restore the rows of a user who was erased since its search", async () => {
    await build("ann", "bob", "cid");
    const [ann, bob] = [eraserOf("ann"), eraserOf("bob")];
    await ann.search(true);
    await bob.search(true);
    await bob.erase(true, never);
    expect(await rows()).toEqual([hash("ann"), hash("cid")]);
    await ann.erase(true, never);
    expect(await bob.search(true)).toEqual({ "rows of the lake": 0 });
    await ann.search(true);
    await ann.erase(true, never);
    expect(await rows()).toEqual([hash("cid")]);
  });
});
