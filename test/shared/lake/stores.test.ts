import { randomBytes } from "node:crypto";
import { ListMultipartUploadsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createArchivedDays } from "../../../shared/archive/archived-days.s3.ts";
import type { ArchivedObject } from "../../../shared/archive/archived-days.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createChangedDays } from "../../../shared/lake/changed-days.dynamodb.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import type { Row } from "../../../shared/lake/tables.ts";
import { type Engines, startEngines } from "../../support/engines.ts";

let engines: Engines;
let days = 0;
beforeAll(async () => {
  engines = await startEngines();
});
afterAll(() => engines.close());

const freshDay = () => `2026-01-${String(++days).padStart(2, "0")}`;
const put = (Key: string, Body: Uint8Array | string) =>
  engines.s3.send(new PutObjectCommand({ Bucket: engines.bucket, Key, Body }));

const event = (event_id: string): Row<"events"> => ({
  event_id,
  type: "custom",
  name: null,
  user_hash: "u",
  session_id: null,
  message_id: null,
  value: null,
  created_at: 0,
  metadata: null,
});

describe("a partition of the lake", () => {
  const lake = () => createLake(engines.s3, engines.bucket);
  const write = async (day: string, fingerprint: string, replaces: string | null) => {
    const writer = lake().begin("events", day, fingerprint, replaces);
    await writer.add(event(fingerprint));
    return writer.commit();
  };

  it("replaces the version that it is built on, and no other", async () => {
    const day = freshDay();
    expect(await lake().find("events", day)).toBeNull();
    expect(await write(day, "first", null)).toBe(true);
    expect(await write(day, "beside the first", null)).toBe(false);
    const first = (await lake().find("events", day))!;
    expect(first.fingerprint).toBe("first");
    expect(await write(day, "second", first.etag)).toBe(true);
    expect(await write(day, "built on the first", first.etag)).toBe(false);
    expect((await lake().find("events", day))?.fingerprint).toBe("second");
    expect(await write(freshDay(), "on one that is gone", first.etag)).toBe(false);
  });

  it("is removed only if it is still the version that was found", async () => {
    const day = freshDay();
    await write(day, "first", null);
    const first = (await lake().find("events", day))!;
    await write(day, "second", first.etag);
    expect(await lake().remove("events", day, first.etag)).toBe(false);
    const second = (await lake().find("events", day))!;
    expect(second.fingerprint).toBe("second");
    expect(await lake().remove("events", day, second.etag)).toBe(true);
    expect(await lake().find("events", day)).toBeNull();
  });
});

describe("a partition of several parts", () => {
  /** Rows of 24 MB, which do not compress. */
  const rows = Array.from({ length: 3 }, (_, n) => ({
    ...event(`${n}`),
    metadata: randomBytes(6 * 1024 * 1024).toString("base64"),
  }));
  const uploads = async () =>
    (await engines.s3.send(new ListMultipartUploadsCommand({ Bucket: engines.bucket }))).Uploads ?? [];

  it("replaces only the version that it is built on", async () => {
    const lake = createLake(engines.s3, engines.bucket);
    const day = freshDay();
    const [winner, loser] = [lake.begin("events", day, "winner", null), lake.begin("events", day, "loser", null)];
    for (const row of rows) await Promise.all([winner.add(row), loser.add(row)]);
    expect([await winner.commit(), await loser.commit()]).toEqual([true, false]);
    const stored = (await lake.find("events", day))!;
    expect(stored.fingerprint).toBe("winner");
    // The ETag of an object of several parts contains their number.
    expect(stored.etag).toMatch(/-3"$/);
    expect(await uploads()).toEqual([]);
  });

  it("leaves no part behind when it is discarded once or several times", async () => {
    const lake = createLake(engines.s3, engines.bucket);
    const day = freshDay();
    const writer = lake.begin("events", day, "discarded", null);
    for (const row of rows) await writer.add(row);
    await writer.abort();
    await writer.abort();
    const small = lake.begin("events", day, "discarded", null);
    await small.add(event("small"));
    await small.abort();
    expect([await lake.find("events", day), await uploads()]).toEqual([null, []]);
  });

  it("fails when S3 refuses a part, and does not wait forever", async () => {
    const { endpoints, credentials } = engines;
    const s3 = new S3Client({ endpoint: endpoints.s3, region: "us-east-1", credentials, forcePathStyle: true });
    s3.middlewareStack.add(
      (next, { commandName }) =>
        (request) =>
          commandName === "UploadPartCommand" ? Promise.reject(new Error("socket hang up")) : next(request),
      { step: "initialize" },
    );
    const writer = createLake(s3, engines.bucket).begin("events", freshDay(), "failed", null);
    const write = async () => {
      for (const row of [...rows, ...rows, ...rows]) await writer.add(row);
      await writer.commit();
    };
    await expect(write()).rejects.toMatchObject({ code: "unavailable" });
    await writer.abort();
    s3.destroy();
    expect(await uploads()).toEqual([]);
  });
});

describe("an opened archive object", () => {
  it.each([10, 100_000])("of %d bytes throws a conflict when it was replaced after the listing", async (bytes) => {
    const day = freshDay();
    const key = `archive/dt=${day}/ann/s.jsonl.gz`;
    await put(key, Buffer.alloc(bytes));
    const archived = createArchivedDays(engines.s3, engines.bucket);
    const objects: ArchivedObject[] = [];
    for await (const each of archived.list(day)) objects.push(each);
    await put(key, Buffer.alloc(bytes, "other"));
    const reading = async () => {
      for await (const _ of await archived.open(objects[0]!));
    };
    await expect(reading()).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("the mark of a changed day", () => {
  const changes = () => createChangedDays(createTable(engines.dynamodb, engines.tableName));
  const dueAt = async (day: string, now: number) => (await changes().due(now)).find((each) => each.day === day);

  it.each([null, 1000])(
    "stays when the day has changed since the mark was read, with the next build at %s",
    async (next) => {
      const day = freshDay();
      await changes().mark([day]);
      const read = (await dueAt(day, 0))!;
      await changes().mark([day]);
      await changes()
        .settle(read, next)
        .catch(() => undefined);
      expect(await dueAt(day, 0)).toMatchObject({ day, aged: false });
    },
  );

  it("is deleted when the day is settled, or becomes due again when messages expire", async () => {
    const [never, later] = [freshDay(), freshDay()];
    await changes().mark([never, later]);
    await changes().settle((await dueAt(never, 0))!, null);
    await changes().settle((await dueAt(later, 0))!, 1000);
    expect([await dueAt(never, 5000), await dueAt(later, 999)]).toEqual([undefined, undefined]);
    expect(await dueAt(later, 1000)).toMatchObject({ aged: true });
    await changes().mark([later]);
    expect(await dueAt(later, 0)).toMatchObject({ aged: false });
  });
});

describe("the basis of the lake's days", () => {
  const changes = () => createChangedDays(createTable(engines.dynamodb, engines.tableName));

  it("is unknown at first, and then the basis that was stored last", async () => {
    expect(await changes().findBasis()).toBeNull();
    await changes().setBasis("full for 1 s");
    await changes().setBasis("redacted for 1 s");
    expect(await changes().findBasis()).toBe("redacted for 1 s");
  });

  it("marks days without a change for their messages only, and leaves changed days as they are", async () => {
    const [quiet, aging, changed] = [freshDay(), freshDay(), freshDay()];
    await changes().mark([aging, changed]);
    const of = async (day: string, now: number) => (await changes().due(now)).find((each) => each.day === day);
    await changes().settle((await of(aging, 0))!, 5000);
    await changes().markMessages([quiet, aging, changed]);
    expect(await of(quiet, 1)).toMatchObject({ aged: true });
    expect(await of(aging, 1)).toMatchObject({ aged: true });
    expect(await of(changed, 1)).toMatchObject({ aged: false });
  });
});

describe("a user's hash", () => {
  it("depends only on the user and the key, after any number of other users", () => {
    const pseudonym = createPseudonyms("key");
    const ann = pseudonym("ann");
    for (let n = 0; n < 20_001; n++) pseudonym(`user ${n}`);
    expect(pseudonym("ann")).toBe(ann);
    expect(createPseudonyms("another key")("ann")).not.toBe(ann);
    expect(pseudonym("bob")).not.toBe(ann);
  });
});
