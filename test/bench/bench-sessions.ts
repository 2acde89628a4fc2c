import { createArchive } from "../../shared/archive/archive.s3.ts";
import { createObjects } from "../../shared/archive/objects.s3.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { archiveSession } from "../../shared/session/archive-session.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { deleteSession } from "../../shared/session/delete-session.ts";
import { listMessages } from "../../shared/session/list-messages.ts";
import { readSession } from "../../shared/session/read-session.ts";
import { restoreSession } from "../../shared/session/restore-session.ts";
import { createStores } from "../support/create-stores.ts";
import { startEngines } from "../support/engines.ts";
import { deleteHeader } from "./support/expire.ts";
import { meter, type Usage } from "./support/meter.ts";
import { printTable } from "./support/print-table.ts";

const KILOBYTE = "x".repeat(1024);
const USER = "bench";

/** Measures the capacity units of each operation, for growing sessions and users. */
export async function run(): Promise<void> {
  const engines = await startEngines();
  try {
    const { measure } = meter(engines.dynamodb);
    let now = Date.now();
    const table = createTable(engines.dynamodb, engines.tableName);
    const stores = createStores(table, {
      archive: createArchive(async () => createObjects(engines.s3, engines.bucket)),
      clock: () => now,
    });
    let requests = 0;
    const request = () => ({ seed: `request ${requests++}`, at: now++ });
    const create = (user: string, id: string) => createSession(stores, user, { id }, request(), 600);
    const append = (id: string, count: number, ids = false) =>
      appendMessages(
        stores,
        { user: USER, id },
        Array.from({ length: count }, (_, n) => ({
          role: "user" as const,
          content: KILOBYTE,
          ...(ids ? { id: `own-${requests}-${n}` } : {}),
        })),
        request(),
      );
    const fill = async (id: string, count: number) => {
      await create(USER, id);
      for (let n = 0; n < count; n += 99) await append(id, Math.min(99, count - n));
    };

    const rows: (string | number)[][] = [];
    const row = (what: string, usage: Usage, bar = "") =>
      rows.push([what, usage.calls, usage.rru, usage.wru, describe(usage), bar]);

    row("create a session", await measure(() => create(USER, "new")));
    for (const length of [0, 1000, 10_000]) {
      const id = `length-${length}`;
      await fill(id, length);
      row(`append 1 message of 1 KB to ${length}`, await measure(() => append(id, 1)), "≤ 8 WRU, ≤ 1 read");
      const newest = () => listMessages(stores, { user: USER, id }, { order: "desc", limit: 30 });
      row(`newest 30 with the header of ${length + 1}`, await measure(newest), "1 Query");
    }
    row("append 1 message of 1 KB with an id", await measure(() => append("length-1000", 1, true)));
    row("append 99 messages of 1 KB", await measure(() => append("new", 99)));

    for (const sessions of [100, 10_000]) {
      const user = `user-${sessions}`;
      for (let n = 0; n < sessions; n += 20) {
        await Promise.all(Array.from({ length: 20 }, (_, k) => create(user, `s${n + k}`)));
      }
      const list = () => stores.sessions.list(user, { status: "all", order: "desc", limit: 20, now: stores.clock() });
      row(`list 20 of ${sessions} sessions`, await measure(list), "1 Query");
    }

    await fill("life", 30);
    const session = { user: USER, id: "life" };
    now += 700_000;
    const expired = await deleteHeader(engines, session);
    row("archive a session of 30", await measure(() => archiveSession(stores, expired)));
    row("restore a session of 30", await measure(() => restoreSession(stores, session)));
    row("read a session", await measure(() => readSession(stores, session)));
    row("delete a session of 30", await measure(() => deleteSession(stores, session)));

    printTable(
      "Cost of an operation in DynamoDB (request units; messages of 1 KB)",
      ["operation", "calls", "RRU", "WRU", "made of", "bar"],
      rows,
    );
  } finally {
    await engines.close();
  }
}

const describe = ({ operations }: Usage): string =>
  Object.entries(operations)
    .map(([name, count]) => (count === 1 ? name : `${count} ${name}`))
    .join(", ");
