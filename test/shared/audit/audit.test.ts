import { marshall } from "@aws-sdk/util-dynamodb";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createAuditJob } from "../../../functions/jobs/audit.ts";
import { createAuditOutbox, createOutboxReader } from "../../../shared/audit/audit-outbox.dynamodb.ts";
import type { AuditOutbox, AuditRecord } from "../../../shared/audit/audit-record.ts";
import { createAuditStore } from "../../../shared/audit/audit-store.dynamodb.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { leaveNotes } from "../../../shared/http/leave-notes.ts";
import { type Operation, operations } from "../../../shared/http/operations.ts";
import { exportDay } from "../../../shared/lake/export-day.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { readPartition } from "../../support/partition.ts";
import { type Api, type Call, pages, startApi } from "../../support/start-api.ts";
import { NOON } from "../../support/world.ts";

const DAY = 86_400_000;

let api: Api;
beforeEach(async () => {
  await api?.close();
  api = await startApi();
});
afterAll(() => api.close());

const admin: Call = { user: "root", claims: { admin: "true" } };
const acting = (user: string): Call => ({
  user: "backend",
  claims: { act_as: "true" },
  headers: { "X-User-Id": user },
});
const tables = () => ({
  outbox: createTable(api.engines.dynamodb, "audit-outbox"),
  audit: createAuditStore(createTable(api.engines.dynamodb, "audit")),
});
const noted = async () => {
  const all = [];
  for await (const page of createOutboxReader(tables().outbox).before("~")) all.push(...page);
  return all;
};
/** All records, the newest first, with what tells them apart. */
const recorded = async (query = "") => {
  await api.writeAudit();
  const all: AuditRecord[] = (await pages(api, `/v1/audit?limit=2${query}`, admin)).flat();
  return all
    .filter(({ action, actor }) => action !== "audit.read" || actor !== "hash of root")
    .map(({ actor, action, subject }) => [actor, action, subject]);
};
const of = (user: string, action: string) => [`hash of ${user}`, action, `hash of ${user}`];

describe("an audited request", () => {
  it("has a record of who did what to whose data, with hashes and without content", async () => {
    await api.post("/v1/sessions", { id: "secret-trip", title: "secret" });
    const answer = await api.del("/v1/sessions/secret-trip");
    const [note] = await noted();
    expect(note).toMatchObject({ actor: "ann", action: "session.delete", subject: "ann" });
    await api.writeAudit();
    expect(await noted()).toEqual([]);
    const { body, text } = await api.get("/v1/audit?action=session.delete", admin);
    expect(body.data).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        at: "2026-11-21T12:00:00.000Z",
        actor: "hash of ann",
        action: "session.delete",
        subject: "hash of ann",
        request_id: answer.headers["x-request-id"],
      },
    ]);
    expect(text).not.toContain("secret");
  });

  it("is every deletion, reset, export and use of a route for admins, by MCP too", async () => {
    const file = { filename: "a", media_type: "text/plain", bytes: 1 };
    const { id } = (await api.post("/v1/files", file)).body;
    await api.post("/v1/sessions", { id: "s" });
    const { data } = (await api.post("/v1/sessions/s/messages", { role: "user", content: "My cat is called Momo." }))
      .body;
    await api.world.deliver("ann", "s");
    const [memory] = (await api.get("/v1/memories")).body.data;
    const steps: [string, () => Promise<unknown>][] = [
      ["file.delete", () => api.del(`/v1/files/${id}`)],
      ["memory.delete", () => tool("forget", { memory_id: memory.id })],
      ["memory.delete_all", () => api.del("/v1/memories")],
      ["message.delete", () => api.del(`/v1/sessions/s/messages/${data[0].id}`)],
      ["session.reset", () => api.post("/v1/sessions/s/reset")],
      ["export.create", () => api.post("/v1/exports")],
      ["session.delete", () => api.del("/v1/sessions/s")],
    ];
    for (const [, step] of steps) {
      api.world.advance(1000);
      await step();
    }
    expect(await recorded()).toEqual(steps.map(([action]) => of("ann", action)).reverse());
    const forAdmins = Object.values(operations as Record<string, Operation>).filter(({ access }) => access === "admin");
    expect(forAdmins.length).toBeGreaterThan(3);
    for (const { path, audited } of forAdmins) expect([path, audited]).toEqual([path, expect.any(String)]);
    const destructive = Object.values(operations as Record<string, Operation>).filter(
      ({ method }) => method === "DELETE",
    );
    for (const { path, audited } of destructive) expect([path, audited]).toEqual([path, expect.any(String)]);
  });

  it("of an admin has no subject, unless it names a user", async () => {
    await api.post("/admin/cleanup-sessions?days=7", undefined, admin);
    api.world.advance(1000);
    await api.get("/v1/audit?user_id=bob", admin);
    api.world.advance(1000);
    await api.post("/v1/erasures", { user_id: "bob" }, admin);
    await api.writeAudit();
    const { body } = await api.get("/v1/audit", admin);
    expect(body.data.map(({ action, subject }: AuditRecord) => [action, subject])).toEqual([
      ["erasure.create", "hash of bob"],
      ["audit.read", "hash of bob"],
      ["session.expire_idle", null],
    ]);
  });

  const tool = (name: string, args: object) =>
    api.post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } });

  it("has no record if it is refused for its token or its input, and neither have other requests", async () => {
    await api.del("/v1/sessions/s", { user: null });
    await api.del("/v1/sessions/s", { headers: { "X-User-Id": "bob" } });
    await api.get("/v1/audit?action=nothing", admin);
    await api.get("/v1/audit", { user: "ann" });
    await api.get("/v1/sessions");
    await api.post("/v1/sessions", { id: "s" });
    expect(await noted()).toEqual([]);
  });

  it("answers 503 and does nothing when its note cannot be stored", async () => {
    await api.post("/v1/sessions", { id: "s" });
    const fault = { operation: "PutItem", when: "before", name: "InternalServerError" } as const;
    api.faults.next({ ...fault, attempts: 100 });
    const { status, headers } = await api.del("/v1/sessions/s");
    api.faults.next({ ...fault, attempts: 0 });
    expect([status, Number(headers["retry-after"])]).toEqual([503, 1]);
    expect((await api.get("/v1/sessions/s")).status).toBe(200);
  });
});

describe("the use of act-as", () => {
  it("has one record per day, actor and user, from any number of functions and requests", async () => {
    for (const user of ["ann", "bob", "ann"]) await api.get("/v1/sessions", acting(user));
    await api.writeAudit();
    api.world.advance(3_600_000);
    await api.post("/v1/sessions", { id: "s" }, acting("ann"));
    expect(await noted()).toEqual([]);
    api.world.advance(DAY);
    await api.get("/v1/sessions", acting("ann"));
    const all = await recorded();
    expect(all.map(([, action]) => action)).toEqual(["act_as", "act_as", "act_as"]);
    expect(all[0]).toEqual(["hash of backend", "act_as", "hash of ann"]);
    expect((await recorded("&user_id=bob")).map(([actor]) => actor)).toEqual(["hash of backend"]);
  });

  it("has one record when instances note it at the same time, and again after the record is written", async () => {
    const instances = Array.from({ length: 3 }, () => createAuditOutbox(tables().outbox));
    const { audited: _none, ...operation } = operations.listSessions as Operation;
    const use = (outbox: AuditOutbox, actor: string) =>
      leaveNotes(operation, outbox, { actor, user: "ann", query: {}, body: undefined }, "request", NOON);
    const useAll = () => Promise.all(instances.flatMap((outbox) => [use(outbox, "backend"), use(outbox, "other")]));
    await useAll();
    expect(await noted()).toHaveLength(2);
    await api.writeAudit();
    await Promise.all([...Array(2)].map(() => use(createAuditOutbox(tables().outbox), "backend")));
    expect(await noted()).toHaveLength(1);
    expect((await recorded()).toSorted()).toEqual([
      ["hash of backend", "act_as", "hash of ann"],
      ["hash of other", "act_as", "hash of ann"],
    ]);
  });

  it("is recorded in addition to a deletion, whose actor is the backend", async () => {
    await api.del("/v1/sessions/none", acting("ann"));
    expect(await recorded()).toEqual([
      ["hash of backend", "session.delete", "hash of ann"],
      ["hash of backend", "act_as", "hash of ann"],
    ]);
  });
});

describe("GET /v1/audit", () => {
  it("filters by time, action and user, and follows cursors through months, each record once", async () => {
    for (let month = 0; month < 4; month++) {
      for (const user of ["ann", "bob"]) {
        await api.del("/v1/memories", { user });
        // Records of the same millisecond have no order.
        api.world.advance(1);
        await api.del("/v1/sessions/none", { user });
        api.world.advance(1000);
      }
      if (month < 3) api.world.advance(31 * DAY);
    }
    expect(await recorded()).toHaveLength(16);
    expect(await recorded("&user_id=ann")).toHaveLength(8);
    expect((await recorded("&user_id=ann"))[0]).toEqual(["hash of ann", "session.delete", "ann"]);
    expect(await recorded("&action=session.delete")).toHaveLength(8);
    expect(await recorded("&action=session.delete&user_id=bob")).toHaveLength(4);
    const from = "2026-12-22T00:00:00.000Z";
    const to = "2027-01-22T12:00:00.500Z";
    expect(await recorded(`&from=${from}`)).toHaveLength(12);
    expect(await recorded(`&from=${from}&to=${to}`)).toHaveLength(4);
    expect(await recorded(`&from=${from}&to=${to}&user_id=bob`)).toHaveLength(2);
    expect((await api.get(`/v1/audit?from=${to}&to=${from}`, admin)).body.errors[0].path).toBe("to");
    const { next_cursor } = (await api.get("/v1/audit?limit=1", admin)).body;
    expect((await api.get(`/v1/audit?limit=1&user_id=ann&cursor=${next_cursor}`, admin)).status).toBe(400);
  });

  it("is only for admins, and shows no record after 400 days", async () => {
    await api.del("/v1/memories");
    expect((await api.get("/v1/audit")).status).toBe(403);
    expect(await recorded("&user_id=ann")).toHaveLength(1);
    api.world.advance(retention.audit.seconds * 1000);
    expect(await recorded("&user_id=ann")).toHaveLength(0);
  });
});

describe("the job that writes records", () => {
  const job = () =>
    createAuditJob(async () => ({
      audit: tables().audit,
      outbox: createOutboxReader(tables().outbox),
      pseudonym: (user) => `hash of ${user}`,
      clock: api.world.stores.clock,
    }));
  const recordsOf = async () =>
    (await noted()).map((note, n) => ({
      dynamodb: {
        NewImage: marshall({ pk: "O", sk: note.id, expires_at: 1, ...note }) as never,
        SequenceNumber: String(n),
      },
    }));

  it("writes each record once when it is delivered several times, and deletes the notes", async () => {
    await api.del("/v1/memories");
    await api.del("/v1/memories", { user: "bob" });
    const Records = await recordsOf();
    expect(await job()({ Records })).toEqual({ batchItemFailures: [] });
    expect(await noted()).toEqual([]);
    expect(await job()({ Records })).toEqual({ batchItemFailures: [] });
    expect(await recorded()).toHaveLength(2);
  });

  it("also writes the records of notes whose stream records were lost", async () => {
    await api.del("/v1/memories");
    api.world.advance(700_000);
    await api.del("/v1/memories", { user: "bob" });
    const [, second] = await recordsOf();
    await job()({ Records: [second!] });
    expect(await noted()).toEqual([]);
    expect(await recorded()).toEqual([of("bob", "memory.delete_all"), of("ann", "memory.delete_all")]);
  });

  it("reports its batch as failed when a record cannot be written, and keeps the notes", async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    await api.del("/v1/memories");
    const Records = await recordsOf();
    const broken = createAuditJob(async () => {
      throw new Error("no key");
    });
    expect(await broken({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: "0" }] });
    expect(await noted()).toHaveLength(1);
  });
});

it("audit records reach the lake with the same hashes as users have there", async () => {
  await api.del("/v1/memories");
  await api.writeAudit();
  const lake = createLake(api.engines.s3, api.engines.bucket);
  const none = { async *ofDay() {}, async *aggregates() {} } as never;
  const stores = { lake, audit: tables().audit, events: none, store: none };
  const ports = { ...stores, findErasures: async () => [], pseudonym: String, content: "none" as const };
  expect(await exportDay(ports, "2026-11-21")).toMatchObject({ audit: 1 });
  expect(await readPartition(api.engines, "audit", "2026-11-21")).toMatchObject([
    { action: "memory.delete_all", actor_hash: "hash of ann", subject_hash: "hash of ann" },
  ]);
});
