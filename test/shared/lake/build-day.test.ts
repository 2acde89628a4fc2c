import { describe, expect, it } from "vitest";
import type { ArchivedObject, ArchiveLine } from "../../../shared/archive/archived-days.ts";
import { AppError } from "../../../shared/errors.ts";
import { type BuildPorts, buildDay } from "../../../shared/lake/build-day.ts";
import { buildLake } from "../../../shared/lake/build-lake.ts";
import type { Lake } from "../../../shared/lake/lake.ts";
import type { RecentErasure } from "../../../shared/lake/leave-out-erased.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import { retention } from "../../../shared/retention/policy.ts";

const DAY = "2026-11-21";
const NOW = Date.parse("2026-11-22T00:00:00.000Z");
const AGE = retention.lakeMessages.seconds * 1000;

const objectOf = (id: string, more: Partial<ArchivedObject> = {}): ArchivedObject => ({
  key: `archive/dt=${DAY}/ann/${id}.jsonl.gz`,
  etag: `etag of ${id}`,
  bytes: 100,
  archivedAt: NOW,
  user: "ann",
  ...more,
});

const linesOf = ({ key, user }: ArchivedObject): ArchiveLine[] => {
  const common = { session_key: key, generation: 1, created_at: `${DAY}T10:00:00.000Z` };
  return [
    { ...common, type: "session", user_id: user, id: key, title: null, metadata: {}, ttl_seconds: 60, pinned: false },
    { ...common, type: "message", session_id: key, id: `message of ${key}`, role: "user", content: "hello" },
  ];
};

/** An archive and a lake in memory. `before` runs before each call, and may change objects or throw. */
function createPorts(objects: ArchivedObject[]) {
  const state = { objects, erasures: [] as RecentErasure[], before: (_call: string): void => undefined };
  const partitions = new Map<string, { etag: string; fingerprint: string; rows: unknown[] }>();
  const log: string[] = [];
  let versions = 0;
  const call = (name: string) => {
    log.push(name);
    state.before(name);
  };
  const lake: Lake = {
    async find(table) {
      call(`find ${table}`);
      return partitions.get(table) ?? null;
    },
    begin(table, _day, fingerprint, replaces) {
      const rows: unknown[] = [];
      return {
        async add(row) {
          rows.push(row);
        },
        async commit() {
          call(`commit ${table}`);
          if ((partitions.get(table)?.etag ?? null) !== replaces) return false;
          partitions.set(table, { etag: `version ${versions++}`, fingerprint, rows });
          return true;
        },
        async abort() {
          call(`abort ${table}`);
        },
      };
    },
    async remove(table, _day, etag) {
      call(`remove ${table}`);
      return partitions.get(table)?.etag === etag && partitions.delete(table);
    },
  };
  const ports: BuildPorts = {
    lake,
    findErasures: async () => state.erasures,
    archived: {
      days: async () => [DAY],
      async *list() {
        call("list");
        yield* state.objects.toSorted((a, b) => (a.key < b.key ? -1 : 1));
      },
      async open(object) {
        call("open");
        if (!state.objects.includes(object)) throw new AppError("conflict", "changed");
        return (async function* () {
          yield linesOf(object);
        })();
      },
    },
    settings: { pseudonym: createPseudonyms("key"), content: "full" },
  };
  const rows = (table: string) => partitions.get(table)?.rows.length;
  return { ports, state, partitions, log, rows };
}

const due = { day: DAY, aged: false };

/** Runs `what` once, before the first call of this name. */
function once(name: string, what: () => void): (call: string) => void {
  let done = false;
  return (call) => {
    if (done || call !== name) return;
    done = true;
    what();
  };
}

describe("the build of a day", () => {
  it("begins again when an archive object is replaced before it is read", async () => {
    const { ports, state, rows, log } = createPorts([objectOf("a"), objectOf("b")]);
    state.before = once("open", () => {
      state.objects = [objectOf("a", { etag: "another" }), objectOf("b")];
    });
    await buildDay(ports, due, NOW);
    expect([rows("messages"), rows("session_summaries")]).toEqual([2, 2]);
    // The partitions of the first attempt are discarded.
    expect(log.filter((call) => call.startsWith("abort"))).toEqual(["abort messages", "abort session_summaries"]);
  });

  it("leaves out users who are being erased, and begins again when an erasure begins before it publishes", async () => {
    const { ports, state, rows, log } = createPorts(["ann", "bob", "cid"].map((user) => objectOf(user, { user })));
    state.erasures = [
      { id: "1", user: "ann", isComplete: false },
      { id: "2", user: "cid", isComplete: true },
    ];
    state.before = once("open", () => {
      state.erasures = [...state.erasures, { id: "3", user: "bob", isComplete: false }];
    });
    await buildDay(ports, due, NOW);
    expect([rows("messages"), rows("session_summaries")]).toEqual([1, 1]);
    expect(log.filter((call) => call === "list")).toHaveLength(2);
  });

  it("does not begin again for an erasure of a user who has no session of that day", async () => {
    const { ports, state, log } = createPorts([objectOf("a")]);
    state.before = once("open", () => {
      state.erasures = [{ id: "1", user: "somebody else", isComplete: false }];
    });
    await buildDay(ports, due, NOW);
    expect(log.filter((call) => call === "list")).toHaveLength(1);
  });

  it("fails after four attempts when the day changes in each", async () => {
    const { ports, state, log } = createPorts([objectOf("a")]);
    state.before = (call) => {
      if (call === "open") state.objects = [objectOf("a")];
    };
    await expect(buildDay(ports, due, NOW)).rejects.toMatchObject({ code: "conflict" });
    expect(log.filter((call) => call === "list")).toHaveLength(4);
  });

  it("does not begin again after any other error", async () => {
    const { ports, state, log } = createPorts([objectOf("a")]);
    state.before = (call) => {
      if (call === "open") throw new AppError("unavailable", "no answer");
    };
    await expect(buildDay(ports, due, NOW)).rejects.toMatchObject({ code: "unavailable" });
    expect(log.filter((call) => call === "list")).toHaveLength(1);
    expect(log).toContain("abort messages");
  });

  it("begins again when another builder was faster, and does not write partitions that are up to date", async () => {
    const { ports, state, rows, log } = createPorts([objectOf("a")]);
    let racing = true;
    state.before = (call) => {
      if (!racing || call !== "commit messages") return;
      racing = false;
      throw new AppError("conflict", "another builder");
    };
    await buildDay(ports, due, NOW);
    expect(rows("messages")).toBe(1);
    log.splice(0);
    expect((await buildDay(ports, due, NOW)).changed).toEqual([]);
    expect(log.filter((call) => call !== "list" && !call.startsWith("find"))).toEqual([]);
  });

  it("never replaces a partition that was written after it began", async () => {
    const { ports, state, partitions } = createPorts([objectOf("a")]);
    const newer = { etag: "newer", fingerprint: "newer", rows: ["newer"] };
    let finds = 0;
    state.before = (call) => {
      if (call === "commit messages" && finds++ < 4) partitions.set("messages", { ...newer, etag: `newer ${finds}` });
    };
    await expect(buildDay(ports, due, NOW)).rejects.toMatchObject({ code: "conflict" });
    expect(partitions.get("messages")).toMatchObject({ rows: ["newer"] });
  });

  it("lists a day with too many objects several times, and begins again when the list has changed", async () => {
    const { ports, state, rows, log } = createPorts(["a", "b", "c"].map((id) => objectOf(id, { user: id })));
    ports.settings.maxSessions = 2;
    let lists = 0;
    state.before = (call) => {
      if (call === "list" && ++lists === 2) state.objects = [...state.objects, objectOf("d", { user: "d" })];
    };
    await buildDay(ports, due, NOW);
    expect([rows("messages"), rows("session_summaries")]).toEqual([4, 4]);
    expect(log.filter((call) => call.startsWith("abort"))).toHaveLength(2);
  });

  it("leaves out messages that have expired, and keeps the summaries of their sessions", async () => {
    const { ports, rows } = createPorts([objectOf("old"), objectOf("new", { archivedAt: NOW + 1000 })]);
    const built = await buildDay(ports, due, NOW + AGE);
    expect([rows("messages"), rows("session_summaries")]).toEqual([1, 2]);
    expect(built).toMatchObject({
      rows: { messages: 1, session_summaries: 2 },
      expires: NOW + 1000 + AGE,
    });
  });

  it("keeps the summaries of a day whose messages have expired, although its archive objects are deleted", async () => {
    const { ports, state, rows, partitions } = createPorts([objectOf("a")]);
    await buildDay(ports, due, NOW);
    state.objects = [];
    await buildDay(ports, { day: DAY, aged: true }, NOW);
    expect([partitions.has("messages"), rows("session_summaries")]).toEqual([false, 1]);
  });

  it("does not remove a partition that another builder has replaced", async () => {
    const { ports, state, partitions } = createPorts([objectOf("a")]);
    await buildDay(ports, due, NOW);
    state.objects = [];
    let writes = 0;
    state.before = (call) => {
      if (call !== "remove messages") return;
      partitions.set("messages", { etag: `newer ${writes++}`, fingerprint: "newer", rows: ["newer"] });
    };
    await expect(buildDay(ports, due, NOW)).rejects.toMatchObject({ code: "conflict" });
    expect(partitions.get("messages")).toMatchObject({ rows: ["newer"] });
  });

  it.each([
    ["content is redacted", { content: "redacted" as const }, ["messages"]],
    ["content is left out", { content: "none" as const }, ["messages"]],
    ["users have other hashes", { pseudonym: createPseudonyms("another key") }, ["messages", "session_summaries"]],
  ])("is repeated when %s from now on", async (_what, settings, changed) => {
    const { ports } = createPorts([objectOf("a")]);
    await buildDay(ports, due, NOW);
    expect((await buildDay(ports, due, NOW)).changed).toEqual([]);
    ports.settings = { ...ports.settings, ...settings };
    expect((await buildDay(ports, due, NOW)).changed).toEqual(changed);
  });
});

describe("a run of the lake builder", () => {
  it("begins no day after its deadline, and keeps the marks of the remaining days", async () => {
    const { ports } = createPorts([objectOf("a")]);
    const settled: string[] = [];
    const changes = {
      mark: async () => undefined,
      markMessages: async () => undefined,
      findBasis: async () => null,
      setBasis: async () => undefined,
      due: async () => ["2026-11-19", "2026-11-20", "2026-11-21"].map((day) => ({ day, token: "t", aged: false })),
      settle: async ({ day }: { day: string }) => void settled.push(day),
    };
    let now = NOW;
    // A minute passes with each reading of the clock: one for the marks, two per day.
    const clock = () => (now += 60_000);
    const run = await buildLake({ ...ports, changes, clock }, NOW + 4 * 60_000, () => undefined);
    expect(run).toMatchObject({ days: 2, complete: false });
    expect(settled).toEqual(["2026-11-19", "2026-11-20"]);
  });

  it("keeps the mark of a day that failed, and continues with the next", async () => {
    const { ports, state } = createPorts([objectOf("a")]);
    const settled: string[] = [];
    const changes = {
      mark: async () => undefined,
      markMessages: async () => undefined,
      findBasis: async () => null,
      setBasis: async () => undefined,
      due: async () => ["2026-11-19", "2026-11-20"].map((day) => ({ day, token: "t", aged: false })),
      settle: async ({ day }: { day: string }) => void settled.push(day),
    };
    state.before = once("list", () => {
      throw new AppError("unavailable", "no answer");
    });
    const failed: string[] = [];
    const run = await buildLake({ ...ports, changes, clock: () => NOW }, NOW, (day) => void failed.push(day));
    expect(run).toMatchObject({ days: 2, failed: 1, complete: true });
    expect([failed, settled]).toEqual([["2026-11-19"], ["2026-11-20"]]);
  });
});
