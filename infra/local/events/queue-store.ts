import { createHash, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readStored } from "../read-stored.ts";

export interface QueueMessage {
  id: string;
  body: string;
  /** The sender's attributes, in SQS's JSON. */
  attributes: Record<string, unknown>;
  /** Identifies this receipt of the message. Each receipt has a new handle. */
  receiptHandle: string;
  /** Milliseconds since 1970. */
  sentAt: number;
  receiveCount: number;
}

/** Queues whose messages survive a `kill -9`. Times are milliseconds since 1970, durations seconds. */
export interface QueueStore {
  create(queue: string): void;
  exists(queue: string): boolean;
  send(queue: string, body: string, attributes: Record<string, unknown>, delay: number): string;
  receive(queue: string, most: number, visibility: number): QueueMessage[];
  /** Makes a received message visible after `visibility` seconds. Returns false when the handle is unknown. */
  defer(queue: string, receiptHandle: string, visibility: number): boolean;
  remove(queue: string, receiptHandle: string): void;
  count(queue: string): { visible: number; inFlight: number; delayed: number };
  close(): void;
}

/** Opens the queues in `directory`. null = in memory. */
export function openQueueStore(directory: string | null): QueueStore {
  if (directory !== null) mkdirSync(directory, { recursive: true });
  const file = directory === null ? ":memory:" : path.join(directory, "queues.sqlite");
  const db = new DatabaseSync(file);
  readStored(file, "Restore it from a copy, or delete it: the dead letters in it are lost.", () => setUp(db));
  const insert = db.prepare(
    "INSERT INTO messages (queue, id, body, attributes, sent_at, visible_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const take = db.prepare(
    `UPDATE messages SET visible_at = ?, receive_count = receive_count + 1, receipt = lower(hex(randomblob(16)))
     WHERE number IN (SELECT number FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY number LIMIT ?)
     RETURNING number, id, body, attributes, receipt, sent_at, receive_count`,
  );
  return {
    create: (queue) => void db.prepare("INSERT OR IGNORE INTO queues (name) VALUES (?)").run(queue),
    exists: (queue) => db.prepare("SELECT 1 FROM queues WHERE name = ?").get(queue) !== undefined,
    send(queue, body, attributes, delay) {
      const id = randomUUID();
      const now = Date.now();
      insert.run(queue, id, body, JSON.stringify(attributes), now, now + delay * 1000);
      return id;
    },
    receive(queue, most, visibility) {
      const now = Date.now();
      const rows = take.all(now + visibility * 1000, queue, now, most);
      return rows
        .sort((a, b) => Number(a.number) - Number(b.number))
        .map((row) => ({
          id: String(row.id),
          body: String(row.body),
          attributes: JSON.parse(String(row.attributes)),
          receiptHandle: String(row.receipt),
          sentAt: Number(row.sent_at),
          receiveCount: Number(row.receive_count),
        }));
    },
    defer: (queue, receiptHandle, visibility) =>
      db
        .prepare("UPDATE messages SET visible_at = ? WHERE queue = ? AND receipt = ?")
        .run(Date.now() + visibility * 1000, queue, receiptHandle).changes > 0,
    remove: (queue, receiptHandle) =>
      void db.prepare("DELETE FROM messages WHERE queue = ? AND receipt = ?").run(queue, receiptHandle),
    count(queue) {
      const row = db
        .prepare(
          `SELECT count(*) FILTER (WHERE visible_at <= :now) AS visible,
             count(*) FILTER (WHERE visible_at > :now AND receive_count > 0) AS inFlight,
             count(*) FILTER (WHERE visible_at > :now AND receive_count = 0) AS delayed
           FROM messages WHERE queue = :queue`,
        )
        .get({ now: Date.now(), queue });
      return {
        visible: Number(row?.visible),
        inFlight: Number(row?.inFlight),
        delayed: Number(row?.delayed),
      };
    },
    close: () => db.close(),
  };
}

/** Hexadecimal MD5. SQS returns it for each body, and clients check it. */
export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

function setUp(db: DatabaseSync): void {
  db.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY) STRICT;
    CREATE TABLE IF NOT EXISTS messages (
      number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
      attributes TEXT NOT NULL, sent_at INTEGER NOT NULL, visible_at INTEGER NOT NULL,
      receive_count INTEGER NOT NULL DEFAULT 0, receipt TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, visible_at);`);
}
