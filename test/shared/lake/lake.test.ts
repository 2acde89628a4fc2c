import { randomBytes } from "node:crypto";
import { DeleteObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { readMessages } from "../../../shared/session/list-messages.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { firstGeneration } from "../../../shared/session/session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake-world.ts";
import { NOON } from "../../support/world.ts";

const DAY = 86_400_000;

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

const fresh = (what: string) => `${what}-${names++}`;
const contents = (id: string, count: number) => Array.from({ length: count }, (_, n) => `message ${n} of ${id}`);

async function inLake(id: string): Promise<unknown[]> {
  const rows = await lake.sql(`select content from messages where session_id = '${id}' order by position`);
  return rows.map(({ content }) => content);
}

/** Keys and versions of the lake's objects. */
async function versions(): Promise<string[]> {
  const { Contents = [] } = await engines.s3.send(
    new ListObjectsV2Command({ Bucket: engines.bucket, Prefix: "lake/" }),
  );
  return Contents.map(({ Key, ETag, LastModified }) => `${Key} ${ETag} ${LastModified?.getTime()}`);
}

describe("a session that is archived", () => {
  it("is in both tables after the next build, with a hashed user", async () => {
    const id = fresh("first");
    await lake.archived("ann", id, 3);
    expect(await lake.build()).toMatchObject({ days: 1, partitions: 2, rows: 4, failed: 0 });
    expect(await inLake(id)).toEqual(contents(id, 3));
    const [message] = await lake.sql(`select * exclude (session_key, message_id) from messages where position = 1`);
    expect(message).toEqual({
      user_hash: lake.pseudonym("ann"),
      session_id: id,
      parent_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      is_current: true,
      position: 1,
      role: "user",
      name: null,
      content: `message 1 of ${id}`,
      parts: null,
      content_chars: `message 1 of ${id}`.length,
      created_at: "2026-11-21 12:00:00",
      model: null,
      input_tokens: null,
      cached_input_tokens: null,
      output_tokens: null,
      cost_usd: null,
      status: null,
      latency_ms: null,
      metadata: null,
      dt: "2026-11-21",
    });
    const [summary] = await lake.sql("select * exclude (session_key, archived_at) from session_summaries");
    expect(summary).toEqual({
      user_hash: lake.pseudonym("ann"),
      session_id: id,
      generation: firstGeneration(NOON),
      created_at: "2026-11-21 12:00:00",
      first_message_at: "2026-11-21 12:00:00",
      last_message_at: "2026-11-21 12:00:00",
      duration_seconds: 0,
      message_count: 3,
      user_messages: 3,
      assistant_messages: 0,
      content_chars: 3 * `message 1 of ${id}`.length,
      input_tokens: null,
      output_tokens: null,
      cost_usd: null,
      pinned: false,
      ttl_seconds: 60,
      dt: "2026-11-21",
    });
    expect(lake.pseudonym("ann")).toMatch(/^[0-9a-f]{32}$/);
  });

  it("is in messages_all before the next build", async () => {
    const id = fresh("early");
    await lake.archived("ann", id, 2);
    expect(await inLake(id)).toEqual([]);
    const all = `select content, user_hash from messages_all where session_id = '${id}' order by content`;
    expect(await lake.sql(all)).toEqual(contents(id, 2).map((content) => ({ content, user_hash: null })));
    await lake.build();
    const user_hash = lake.pseudonym("ann");
    expect(await lake.sql(all)).toEqual(contents(id, 2).map((content) => ({ content, user_hash })));
  });

  it("is removed from the lake when it is restored, and is there once when it is archived again", async () => {
    const id = fresh("restored");
    await lake.archived("ann", id, 2);
    await lake.build();
    await restoreSession(lake.world.stores, { user: "ann", id });
    await lake.deliver();
    await lake.build();
    expect(await inLake(id)).toEqual([]);

    const request = { seed: `more ${id}`, at: lake.world.stores.clock() };
    await appendMessages(lake.world.stores, { user: "ann", id }, [{ role: "user", content: "more" }], request);
    lake.world.advance(61_000);
    await lake.world.archiveJob({ Records: [(await lake.world.sweep("ann", id))!] });
    await lake.deliver();
    await lake.build();
    expect(await inLake(id)).toEqual([...contents(id, 2), "more"]);
  });

  it.each(["archived", "in limbo"])("is removed from the lake when it is deleted while %s", async (where) => {
    const id = fresh("deleted");
    await lake.archived("ann", id, 2);
    await lake.build();
    if (where === "in limbo") {
      const request = { seed: `more ${id}`, at: lake.world.stores.clock() };
      await appendMessages(lake.world.stores, { user: "ann", id }, [{ role: "user", content: "more" }], request);
      lake.world.advance(61_000);
      const record = (await lake.world.sweep("ann", id))!;
      // The archiver crashes between the object and the stub, and the lake is built with it.
      await lake.world.crashing(5, "after", () => lake.world.archiveJob({ Records: [record] }));
      await lake.ports.changes.mark([record.dynamodb!.OldImage!.created_at!.S!.slice(0, 10)]);
      await lake.build();
    }
    await deleteSession(lake.world.stores, { user: "ann", id });
    await lake.deliver();
    await lake.build();
    expect(await inLake(id)).toEqual([]);
    expect(await lake.sql(`select 1 from session_summaries where session_id = '${id}'`)).toEqual([]);
  });

  it("is read as a stream when it is large, and is distinguished from another user's session with the same id", async () => {
    const id = fresh("large");
    const text = () => randomBytes(60_000).toString("base64url");
    for (const user of ["ann", "bob"]) {
      await lake.world.create(user, id, 60);
      for (let n = 0; n < 3; n++) {
        const request = { seed: `${user} ${id} ${n}`, at: lake.world.stores.clock() + n };
        await appendMessages(
          lake.world.stores,
          { user, id },
          [{ role: "user", content: `${user}-${n} ä😀 ${text()}` }],
          request,
        );
      }
      lake.world.advance(61_000);
      await lake.world.archiveJob({ Records: [(await lake.world.sweep(user, id))!] });
    }
    await lake.deliver();
    await lake.build();
    const rows = await lake.sql(
      `select substr(content, 1, 5) as start, user_hash, content_chars from messages where session_id = '${id}' order by 1`,
    );
    expect(rows).toEqual(
      ["ann-0", "ann-1", "ann-2", "bob-0", "bob-1", "bob-2"].map((start) => ({
        start,
        user_hash: lake.pseudonym(start.slice(0, 3)),
        content_chars: 80_009,
      })),
    );
  });
});

describe("a run of the lake builder on real engines", () => {
  it("with no changed day makes two calls: for the settings and for the marks", async () => {
    await lake.build();
    const calls = await lake.world.counting(() => lake.build());
    expect(calls).toBe(2);
  });

  it("writes only the partitions whose objects changed", async () => {
    const id = fresh("today");
    await lake.archived("ann", id, 1);
    await lake.build();
    lake.world.advance(DAY);
    const before = await versions();
    await lake.archived("ann", fresh("tomorrow"), 1);
    expect(await lake.build()).toMatchObject({ days: 1, partitions: 2 });
    expect(await versions()).toEqual(expect.arrayContaining(before));
    // A mark without a change of objects, such as a new title of an archived session makes.
    await lake.ports.changes.mark(["2026-11-21"]);
    expect(await lake.build()).toMatchObject({ days: 1, partitions: 0, rows: 0 });
  });

  it("leaves a readable lake wherever it is interrupted, and the next run completes it", async () => {
    let steps = 0;
    for (const kind of ["before", "after"] as const) {
      for (let step = 0; ; step++) {
        const id = fresh("interrupted");
        lake.world.advance(DAY);
        await lake.archived("ann", id, 2);
        const crashed = await lake.world.crashing(step, kind, () => lake.build());
        // A partition is complete or absent, and messages_all has every message once.
        const found =
          await lake.sql(`select 'built' as place, content, position from messages where session_id = '${id}'
          union all select 'anywhere', content, position from messages_all where session_id = '${id}' order by place, content`);
        const of = (place: string) => found.filter((row) => row.place === place).map(({ content }) => content);
        expect([[], contents(id, 2)]).toContainEqual(of("built"));
        expect(of("anywhere")).toEqual(contents(id, 2));
        await lake.build();
        const both = `select m.content, s.message_count from messages m join session_summaries s using (dt, session_key)
          where m.session_id = '${id}' order by position`;
        expect(await lake.sql(both)).toEqual(contents(id, 2).map((content) => ({ content, message_count: 2 })));
        if (!crashed) break;
        steps++;
      }
    }
    expect(steps).toBeGreaterThan(10);
  });

  it("gives the same result when two builders build the same day", async () => {
    const ids = [fresh("raced"), fresh("raced"), fresh("raced")];
    for (const id of ids) await lake.archived("ann", id, 1);
    await Promise.all([lake.build(), lake.build(), lake.build()]);
    await lake.build();
    for (const id of ids) expect(await inLake(id)).toEqual(contents(id, 1));
  });

  it("leaves out messages that have expired, and keeps summaries longer than their archive objects", async () => {
    const [old, other] = [fresh("old"), fresh("other")];
    for (const id of [old, other]) await lake.archived("ann", id, 2);
    await lake.build();
    expect(await inLake(old)).toEqual(contents(old, 2));
    const Key = `archive/dt=${lake.day()}/ann/${old}.jsonl.gz`;
    await engines.s3.send(new DeleteObjectCommand({ Bucket: engines.bucket, Key }));
    lake.world.advance(181 * DAY);
    expect(await lake.build()).toMatchObject({ failed: 0, complete: true });
    expect(await lake.sql("select count(*) as n from messages")).toEqual([{ n: 0 }]);
    expect(await lake.sql("select 1 as one from messages_all")).toEqual([]);
    const summaries = () =>
      lake.sql(
        `select session_id, message_count from session_summaries where session_id in ('${old}', '${other}') order by 1`,
      );
    expect(await summaries()).toEqual([old, other].toSorted().map((session_id) => ({ session_id, message_count: 2 })));
    expect(await lake.world.counting(() => lake.build())).toBe(2);

    // Then another session of the day changes, so the day is built from the remaining archive objects.
    await deleteSession(lake.world.stores, { user: "ann", id: other });
    await lake.deliver();
    await lake.build();
    expect(await summaries()).toEqual([]);
  });
});

describe("a lake that is redacted from now on", () => {
  it("builds the messages of all days again, also after a run that was interrupted, and the archive keeps all content", async () => {
    const world = await createLakeWorld(engines);
    try {
      const id = fresh("redacted");
      const session = { user: "ann", id };
      const request = { seed: id, at: world.world.stores.clock() };
      await world.world.create("ann", id, 60, 0);
      await appendMessages(world.world.stores, session, { role: "user", content: "I am ann@example.com" }, request);
      world.world.advance(61_000);
      await world.world.archiveJob({ Records: [(await world.world.sweep("ann", id))!] });
      await world.deliver();
      await world.build();
      const of = (table: string) => world.sql(`select content from ${table} where session_id = '${id}'`);
      expect(await of("messages")).toEqual([{ content: "I am ann@example.com" }]);

      world.ports.settings.content = "redacted";
      const { setBasis } = world.ports.changes;
      world.ports.changes.setBasis = async () => {
        throw new Error("the function ended");
      };
      await expect(world.build()).rejects.toThrow("ended");
      world.ports.changes.setBasis = setBasis;
      expect((await world.build()).partitions).toBeGreaterThan(0);
      expect(await of("messages")).toEqual([{ content: "I am [email]" }]);
      expect(await world.build()).toMatchObject({ days: 0, partitions: 0 });
      const { messages } = await readMessages(world.world.stores, session, { order: "asc", limit: 1 });
      expect(messages).toMatchObject([{ content: "I am ann@example.com" }]);
    } finally {
      world.close();
    }
  });
});

describe("a lake without content", () => {
  it("has lengths and times, but no text", async () => {
    const bare = await createLakeWorld(engines, { content: "none" });
    try {
      const id = fresh("bare");
      await bare.archived("cat", id, 1);
      await bare.deliver();
      const columns = "content, name, metadata, role, content_chars";
      const row = {
        content: null,
        name: null,
        metadata: null,
        role: "user",
        content_chars: contents(id, 1)[0]!.length,
      };
      const of = (table: string) => bare.sql(`select ${columns} from ${table} where session_id = '${id}'`);
      expect(await of("messages_all")).toEqual([row]);
      await bare.build();
      expect(await of("messages")).toEqual([row]);
      expect(await of("messages_all")).toEqual([row]);
    } finally {
      bare.close();
    }
  });
});
