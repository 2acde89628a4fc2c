import { CopyObjectCommand, DeleteObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formerKeyOf, keyOf } from "../../../shared/archive/archive.s3.ts";
import { headerKey } from "../../../shared/dynamodb/keys.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake-world.ts";

let engines: Engines;
let lake: LakeWorld;
let names = 0;

beforeAll(async () => {
  engines = await startEngines();
  lake = await createLakeWorld(engines);
});
afterAll(async () => {
  lake.close();
  await engines.close();
});

const fresh = () => `hidden-${names++}`;
const contents = (id: string, count: number) => Array.from({ length: count }, (_, n) => `message ${n} of ${id}`);

describe.each(["_ann", ".ann"])("a session of the user %s, whose id looks like a hidden folder to Trino", (user) => {
  const session = (id: string) => ({ user_id: user, id, created_at: `${lake.day()}T12:00:00.000Z` });
  const hashes = (table: string, id: string) =>
    lake
      .sql(`select user_hash from ${table} where session_id = '${id}'`)
      .then((rows) => rows.map((row) => row.user_hash));
  const keys = async (id: string) => {
    const { Contents = [] } = await engines.s3.send(
      new ListObjectsV2Command({ Bucket: engines.bucket, Prefix: "archive/" }),
    );
    return Contents.map(({ Key = "" }) => Key).filter((key) => key.includes(id));
  };

  /** Creates an archived session with the object and stub of an earlier version. */
  async function formerly(id: string): Promise<void> {
    const { table, stores } = lake.world;
    await lake.archived(user, id, 2);
    const { archive } = (await stores.sessions.find({ user, id }))!;
    const former = formerKeyOf(session(id)) ?? "";
    await engines.s3.send(
      new CopyObjectCommand({
        Bucket: engines.bucket,
        Key: former,
        CopySource: `${engines.bucket}/${encodeURIComponent(archive!.key)}`,
      }),
    );
    await engines.s3.send(new DeleteObjectCommand({ Bucket: engines.bucket, Key: archive!.key }));
    await table.update({
      Key: headerKey(user, id),
      UpdateExpression: "SET #archive = :ref",
      ExpressionAttributeNames: { "#archive": "archive" },
      ExpressionAttributeValues: { ":ref": JSON.stringify({ ...archive, key: former }) },
    });
    await lake.deliver();
  }

  it("is found in archive_lines and messages_all before the lake is built", async () => {
    const id = fresh();
    await lake.archived(user, id, 2);
    expect(await hashes("messages_all", id)).toEqual([null, null]);
    await lake.build();
    expect(await hashes("messages_all", id)).toEqual([lake.pseudonym(user), lake.pseudonym(user)]);
  });

  it("that an earlier version archived is readable, and is in the lake after the next build, also for Trino", async () => {
    const id = fresh();
    await formerly(id);
    const { messages } = await listMessages(lake.world.stores, { user, id }, { order: "asc", limit: 10 });
    expect(messages.map(({ content }) => content)).toEqual(contents(id, 2));
    expect(await hashes("messages_all", id)).toEqual([]);
    await lake.build();
    expect(await hashes("messages", id)).toEqual([lake.pseudonym(user), lake.pseudonym(user)]);
    expect(await hashes("session_summaries", id)).toEqual([lake.pseudonym(user)]);
  });

  it("that an earlier version archived can be deleted, also from the lake", async () => {
    const id = fresh();
    await formerly(id);
    await lake.build();
    await deleteSession(lake.world.stores, { user, id });
    expect(await keys(id)).toEqual([]);
    await lake.deliver();
    await lake.build();
    expect(await hashes("messages", id)).toEqual([]);
  });

  it("that an earlier version archived gets the new key when it is restored and archived again", async () => {
    const id = fresh();
    await formerly(id);
    await restoreSession(lake.world.stores, { user, id });
    expect(await keys(id)).toEqual([]);
    lake.world.advance(61_000);
    await lake.world.archiveJob({ Records: [(await lake.world.sweep(user, id))!] });
    await lake.deliver();
    expect(await keys(id)).toEqual([keyOf(session(id))]);
    expect(await hashes("messages_all", id)).toEqual([null, null]);
  });
});
