import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createWriter, parseLines } from "../../../shared/archive/archived-lines.ts";
import { AppError } from "../../../shared/errors.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { type MessageRecord, positionOf } from "../../../shared/session/message.ts";
import type { ArchiveRef } from "../../../shared/session/session.ts";
import type { Stores } from "../../../shared/session/store.ts";
import { LINEAR } from "../../../shared/session/tree.ts";

const header = {
  user_id: "ann",
  id: "s",
  title: "Ünï\n",
  metadata: { a: "\u2028" },
  created_at: "2026-11-21T00:00:00.000Z",
  ttl_seconds: 60,
  pinned: false,
  live_generation: 3,
  seed: "seed",
  tree: LINEAR,
};
const START = Date.parse(header.created_at);
const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** Messages of a size, three to a millisecond. */
const messagesOf = (count: number, size: number): MessageRecord[] =>
  Array.from({ length: count }, (_, n) => ({
    id: uuid(n),
    role: "user",
    content: `${n} `.padEnd(size, 'é\n"\\'),
    created_at: new Date(START + Math.floor(n / 3)).toISOString(),
  }));

async function write(messages: readonly MessageRecord[], more: Partial<typeof header> = {}) {
  const writer = createWriter({ ...header, ...more });
  async function* source() {
    for (let n = 0; n < messages.length; n += 7) yield messages.slice(n, n + 7);
  }
  const parts: Buffer[] = [];
  for await (const part of writer.body(source())) parts.push(part);
  return { object: Buffer.concat(parts), ...writer.result() };
}

describe("an archived session", () => {
  it("has a key that depends on user, id and seed, because it could be guessed without the seed", async () => {
    const keyWith = async (more: Partial<typeof header>) => {
      const [first = ""] = gunzipSync((await write([], more)).object)
        .toString("utf8")
        .split("\n");
      return JSON.parse(first).session_key as string;
    };
    const others = [{}, { seed: "other" }, { user_id: "bob" }, { id: "t" }, { user_id: "an", id: "ns" }];
    expect(new Set(await Promise.all(others.map(keyWith))).size).toBe(others.length);
    expect(await keyWith({ live_generation: 4, title: "renamed" })).toBe(await keyWith({}));
  });

  it("is gzipped JSON Lines: the session, then its messages in order", async () => {
    const messages = messagesOf(10, 50);
    const { object, messageCount, last, bytes } = await write(messages);
    const lines = gunzipSync(object)
      .toString("utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([lines.length, messageCount, last, bytes]).toEqual([11, 10, messages.at(-1)?.created_at, object.length]);
    const { seed: _seed, tree: _tree, live_generation, ...shown } = header;
    expect(lines[0]).toEqual({
      type: "session",
      session_key: expect.stringMatching(/^[0-9a-f]{32}$/),
      generation: live_generation,
      ...shown,
    });
    expect(new Set(lines.map(({ session_key }) => session_key)).size).toBe(1);
    expect(lines[1]).toMatchObject({ type: "message", session_id: "s", ...messages[0] });
    expect(gunzipSync(object).toString()).not.toContain("seed");
  });

  it("is the same bytes every time", async () => {
    const messages = messagesOf(100, 3000);
    const shuffled = messages.map(
      (message) => Object.fromEntries(Object.entries(message).reverse()) as unknown as MessageRecord,
    );
    expect((await write(shuffled)).object.equals((await write(messages)).object)).toBe(true);
  });

  it("is read back unchanged, with any content", async () => {
    const message = fc.record(
      {
        id: fc.uuid(),
        role: fc.constantFrom("system", "user", "assistant", "tool"),
        content: fc.string({ unit: "grapheme" }),
        created_at: fc
          .date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-01-01") })
          .map((date) => date.toISOString()),
        name: fc.string({ unit: "grapheme", minLength: 1 }),
        metadata: fc.constantFrom({}, { a: [1, null, { b: "\n" }] }),
        model: fc.string(),
        usage: fc.record(
          { input_tokens: fc.nat(), cached_input_tokens: fc.nat(), output_tokens: fc.nat(), cost_usd: fc.nat() },
          { requiredKeys: ["input_tokens", "output_tokens"] },
        ),
        status: fc.constantFrom("complete", "incomplete"),
        finish_reason: fc.constantFrom("stop", "length", "content_filter"),
        memory_ids: fc.array(fc.uuid(), { minLength: 1 }),
        parts: fc.constantFrom([{ type: "data", name: "x", data: [{ a: "\u2028" }] }]),
        keyed: fc.constant(true),
        order: fc.uuid(),
      },
      { requiredKeys: ["id", "role", "content", "created_at"] },
    ) as fc.Arbitrary<MessageRecord>;
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
        const { object, chunks } = await write(messages);
        expect(chunks).toHaveLength(messages.length > 0 ? 1 : 0);
        const back = chunks[0] ? parseLines(gunzipSync(object.subarray(chunks[0].offset))) : [];
        expect(back).toEqual(messages.map((message, n) => ({ ...message, parent_id: messages[n - 1]?.id ?? null })));
      }),
    );
  });
});

describe("paging an archived session of several chunks", () => {
  const MESSAGES = messagesOf(120, 30_000);
  const SHOWN = MESSAGES.map((message, n) => ({ ...message, parent_id: MESSAGES[n - 1]?.id ?? null }));

  /** Stores of which only the archive, in memory, is asked; it counts the chunks that are read. */
  async function archived(toLine = (message: MessageRecord) => message) {
    const { object, chunks, bytes } = await write(MESSAGES);
    const ref: ArchiveRef = { key: "k", etag: "e", bytes, chunks };
    let reads = 0;
    const record = { ...header, status: "archived", archive: ref, expires_at: null };
    const stores = {
      clock: () => START,
      sessions: { find: async () => record },
      messages: { window: async () => ({ record, messages: [], more: false }) },
      archive: {
        readChunk: async (_ref: ArchiveRef, n: number) => {
          reads++;
          const chunk = object.subarray(chunks[n]?.offset, chunks[n + 1]?.offset ?? bytes);
          return parseLines(gunzipSync(chunk)).map(toLine);
        },
      },
    } as unknown as Stores;
    return { stores, chunks, reads: () => reads };
  }

  it.each(["asc", "desc"] as const)("gives every message once, %s, whatever the size of a page", async (order) => {
    const { stores, chunks } = await archived();
    expect(chunks.length).toBeGreaterThan(3);
    for (const limit of [7, 33, 100]) {
      const seen: MessageRecord[] = [];
      let after: string | undefined;
      for (;;) {
        const page = await listMessages(stores, { user: "ann", id: "s" }, { order, limit, after });
        seen.push(...page.messages);
        after = positionOf(page.messages.at(-1)!);
        if (!page.more) break;
      }
      expect(seen).toEqual(order === "asc" ? SHOWN : SHOWN.toReversed());
    }
  });

  it("finds the parents of lines that an earlier version wrote without them", async () => {
    const { stores } = await archived(
      ({ parent_id: _parent, ...line }: MessageRecord & { parent_id?: unknown }) => line,
    );
    for (const order of ["asc", "desc"] as const) {
      for (let n = 0; n < MESSAGES.length; n += 7) {
        const query =
          order === "asc" ? { order, from: MESSAGES[n]!.created_at } : { order, after: positionOf(MESSAGES[n]!) };
        const { messages } = await listMessages(stores, { user: "ann", id: "s" }, { ...query, limit: 5 });
        for (const message of messages) expect(message).toEqual(SHOWN.find(({ id }) => id === message.id));
      }
    }
  });

  it("reads only the chunks that contain the page", async () => {
    const { stores, chunks, reads } = await archived();
    const middle = positionOf(MESSAGES[60]!);
    for (const query of [
      { order: "asc", limit: 5 },
      { order: "desc", limit: 5 },
      { order: "asc", limit: 5, after: middle },
      { order: "desc", limit: 5, after: middle },
    ] as const) {
      const before = reads();
      await listMessages(stores, { user: "ann", id: "s" }, query);
      expect(reads() - before).toBeLessThanOrEqual(2);
    }
    expect(chunks.length).toBeGreaterThan(2);
  });

  it("returns the messages between two times, which can be in any chunk", async () => {
    const { stores } = await archived();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -1, max: 41 }),
        fc.integer({ min: -1, max: 41 }),
        fc.constantFrom("asc", "desc"),
        async (a, b, order) => {
          const [from, to] = [START + Math.min(a, b), START + Math.max(a, b)].map((time) =>
            new Date(time).toISOString(),
          );
          const { messages, more } = await listMessages(
            stores,
            { user: "ann", id: "s" },
            { order: order as "asc", limit: 1000, from, to },
          );
          const wanted = SHOWN.filter(({ created_at }) => created_at >= from! && created_at < to!);
          if (!more) expect(messages).toEqual(order === "asc" ? wanted : wanted.toReversed());
          else expect(messages.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 12 },
    );
  });
});

it("a damaged line gives an error that does not quote it, because errors are logged", () => {
  expect(() => parseLines(Buffer.from('{"content":"My passport is blue"'))).toThrow(
    new AppError("internal", "a line of the archive is not JSON"),
  );
});
