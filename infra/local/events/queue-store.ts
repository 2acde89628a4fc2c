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

const SCHEMA = `PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    attributes TEXT NOT NULL, sent_at INTEGER NOT NULL, visible_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0, receipt TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, visible_at);`;

/**
 * Opens the queues in `directory`; null = in memory. Messages survive a `kill -9`. Times are milliseconds since 1970, durations seconds.
 */
export function openQueueStore(directory: string | null) {
  if (directory !== null) mkdirSync(directory, { recursive: true });
  const file = directory === null ? ":memory:" : path.join(directory, "queues.sqlite");
  const db = new DatabaseSync(file);
  readStored(file, "Restore it from a copy, or delete it: the dead letters in it are lost.", () => db.exec(SCHEMA));
  const take = db.prepare(
    `UPDATE messages SET visible_at = ?, receive_count = receive_count + 1, receipt = lower(hex(randomblob(16)))
     WHERE number IN (SELECT number FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY number LIMIT ?)
     RETURNING number, id, body, attributes, receipt, sent_at, receive_count`,
  );
  return {
    create(queue: string): void {
      db.prepare("INSERT OR IGNORE INTO queues (name) VALUES (?)").run(queue);
    },
    exists: (queue: string): boolean => db.prepare("SELECT 1 FROM queues WHERE name = ?").get(queue) !== undefined,
    send(queue: string, body: string, attributes: Record<string, unknown>): string {
      const [id, now] = [randomUUID(), Date.now()];
      db.prepare(
        "INSERT INTO messages (queue, id, body, attributes, sent_at, visible_at) VALUES (?, ?, ?, ?, ?, ?)",
      ).run(queue, id, body, JSON.stringify(attributes), now, now);
      return id;
    },
    /** Hides messages for `visibility` seconds and returns them. */
    receive(queue: string, most: number, visibility: number): QueueMessage[] {
      const now = Date.now();
      return take
        .all(now + visibility * 1000, queue, now, most)
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
    /** Makes a received message visible after `visibility` seconds. Returns false when the handle is unknown. */
    defer(queue: string, receiptHandle: string, visibility: number): boolean {
      const update = db.prepare("UPDATE messages SET visible_at = ? WHERE queue = ? AND receipt = ?");
      return update.run(Date.now() + visibility * 1000, queue, receiptHandle).changes > 0;
    },
    remove(queue: string, receiptHandle: string): void {
      db.prepare("DELETE FROM messages WHERE queue = ? AND receipt = ?").run(queue, receiptHandle);
    },
    count(queue: string): { visible: number; hidden: number } {
      const row = db
        .prepare(
          "SELECT count(*) AS total, count(*) FILTER (WHERE visible_at <= ?) AS visible FROM messages WHERE queue = ?",
        )
        .get(Date.now(), queue);
      return { visible: Number(row?.visible), hidden: Number(row?.total) - Number(row?.visible) };
    },
    close: () => db.close(),
  };
}

/** Hexadecimal MD5. SQS returns it for each body, and clients check it. */
export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
