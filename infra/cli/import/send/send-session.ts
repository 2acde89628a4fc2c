import { createHash, randomUUID } from "node:crypto";
import { counted } from "../../../../shared/counted.ts";
import { type Batch, batchesFrom, type Plan } from "../plan-session.ts";
import { Refused, type Send } from "./api-client.ts";
import { sendFile } from "./send-file.ts";

export interface SendOptions {
  /** The user that the token acts for; absent when it is the token's own user. */
  user: string | undefined;
  send: Send;
  /**
   * Called with the numbers of messages and files of each stored batch. A negative number corrects earlier calls that counted too many.
   */
  onStored: (messages: number, files: number) => void;
}

/** The fields of a stored session that the import needs. */
interface Stored {
  message_count: number;
  head_id: string | null;
  incognito?: true;
  metadata: { import_id?: unknown };
}

/**
 * Stores a session through the API, completely and without duplicates, also when an earlier run has stored a part of it. The server
 * stores a batch completely or not at all, so the session's `message_count` says whether it is complete.
 *
 * The server never stores a message with an id of its own twice. Messages without ids are cheaper. Their batches have the same
 * Idempotency-Key in every run, so a request has one effect even if its answer was lost or its run was killed. The key contains
 * `import_id`, which is new for each session that is created. So a session that was deleted and is imported again does not get the stored
 * answers of the earlier session.
 * @throws Refused, Unreachable, Interrupted
 */
export async function sendSession(
  plan: Plan,
  { user, send, onStored }: SendOptions,
): Promise<"imported" | "existing" | "resumed"> {
  const { session, messages, isKeyed, head } = plan;
  const path = `/v1/sessions/${encodeURIComponent(session.id)}`;
  const importId = randomUUID();
  const last = messages.at(-1)?.id;
  const stored = (await create()) ? undefined : await read();
  if (stored && stored.incognito !== session.incognito) {
    throw new Refused(
      409,
      `the session ${session.id} exists and is ${stored.incognito ? "" : "not "}incognito, unlike this record: delete it first`,
    );
  }
  // The same import_id: this run created the session, but the answer was lost and the second attempt got a 409.
  if (!stored || (!isKeyed && stored.metadata.import_id === importId)) {
    await append(0, importId);
    await setHead();
    return "imported";
  }
  if (stored.message_count >= messages.length) {
    // An earlier run may have stopped before it set the head.
    if (head === undefined || stored.head_id !== last || stored.message_count > messages.length) return "existing";
    await setHead();
    return "resumed";
  }
  if (isKeyed) onStored(-stored.message_count, 0);
  await append(isKeyed ? 0 : stored.message_count, String(stored.metadata.import_id ?? ""));
  // If a reset has removed messages since, the server answers the old keys without storing anything. Only the count shows this.
  const { message_count: count } = await read();
  if (count < messages.length) {
    onStored(count - messages.length, 0);
    await append(isKeyed ? 0 : count, importId);
  }
  await setHead();
  return "resumed";

  /** Returns whether the session is new. Its id makes the request idempotent, so an Idempotency-Key is not needed. */
  async function create(): Promise<boolean> {
    const body = isKeyed ? session : { ...session, metadata: { ...session.metadata, import_id: importId } };
    const { status } = await send({ method: "POST", path: "/v1/sessions", user, body, accept: [409] });
    return status !== 409;
  }

  async function read(): Promise<Stored> {
    // A 404 may be temporary: the request that creates the session may still be under way.
    const { body } = await send({ method: "GET", path, user, retry: [404] });
    return body as Stored;
  }

  async function append(from: number, keyId: string): Promise<void> {
    for (const batch of batchesFrom(messages, from)) await appendBatch(batch, keyId);
  }

  async function appendBatch({ start, messages: batch }: Batch, keyId: string): Promise<void> {
    const named = batch.flatMap(({ parts = [] }) => parts.flatMap((part) => ("file_id" in part ? [part.file_id] : [])));
    const files = [...new Set(named)].flatMap((id) => {
      const file = id === undefined ? undefined : plan.files.get(id);
      return id !== undefined && file ? [{ id, file }] : [];
    });
    // Send one file after the other, because each is held in memory.
    for (const { id, file } of files) await sendFile(id, file, user, send);
    const idempotencyKey = createHash("sha256").update(`${session.id}\n${keyId}\n${start}`).digest("hex");
    const { body } = await send({
      method: "POST",
      path: `${path}/messages`,
      user,
      body: { messages: batch },
      ...(!isKeyed && { idempotencyKey }),
      // A 409 may be temporary: the same request may still be under way, from this run or from one that was killed.
      retry: [409],
    });
    const answered = (body as { data?: unknown[] }).data?.length;
    if (answered !== batch.length)
      throw new Refused(201, `the server stored ${answered} of ${counted(batch.length, "message")}`);
    onStored(batch.length, files.length);
  }

  async function setHead(): Promise<void> {
    if (head !== undefined) await send({ method: "PATCH", path, user, body: { head_id: head } });
  }
}
