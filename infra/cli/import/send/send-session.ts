import { createHash, randomUUID } from "node:crypto";
import { counted } from "../../../../shared/counted.ts";
import { type Batch, batchesFrom, type Plan } from "../plan-session.ts";
import { Refused, type Send } from "./api-client.ts";

export interface SendOptions {
  /** The user that the token acts for; absent when it is the token's own user. */
  user: string | undefined;
  send: Send;
  /** Called with the number of messages of each stored batch; with a negative number when they turn out not to be stored. */
  onStored: (messages: number) => void;
}

/** The fields of a stored session that the import needs. */
interface Stored {
  message_count: number;
  metadata: { import_id?: unknown };
}

/**
 * Stores a session through the API once and completely, however often this runs and wherever an earlier run stopped. The server stores
 * a batch completely or not at all, so the session's `message_count` says where to continue.
 *
 * Each batch has the same Idempotency-Key in every run, so a request has one effect even if its answer was lost or its run was killed.
 * The key contains `import_id`, which the session gets when it is created. So a session that was deleted and is imported again does not
 * get the stored answers of the earlier session.
 * @throws Refused, Unreachable, Interrupted
 */
export async function sendSession(
  plan: Plan,
  { user, send, onStored }: SendOptions,
): Promise<"imported" | "existing" | "resumed"> {
  const { id } = plan.session;
  const path = `/v1/sessions/${encodeURIComponent(id)}`;
  const importId = randomUUID();
  const stored = (await create()) ? undefined : await read();
  // The same import_id: this run created the session, but the answer was lost and the second attempt got a 409.
  if (!stored || stored.metadata.import_id === importId) {
    await append(0, importId);
    return "imported";
  }
  if (stored.message_count >= plan.messages.length) return "existing";
  await append(stored.message_count, String(stored.metadata.import_id ?? ""));
  // If messages were removed since (by a reset), the old keys get stored answers: only the count shows it.
  const { message_count: count } = await read();
  if (count < plan.messages.length) {
    onStored(count - plan.messages.length);
    await append(count, importId);
  }
  return "resumed";

  /** Returns whether the session is new. Its id makes the request idempotent, so an Idempotency-Key is not needed. */
  async function create(): Promise<boolean> {
    const body = { ...plan.session, metadata: { ...plan.session.metadata, import_id: importId } };
    const { status } = await send({ method: "POST", path: "/v1/sessions", user, body, accept: [409] });
    return status !== 409;
  }

  async function read(): Promise<Stored> {
    // A 404 may be temporary: the request that creates the session may still be under way.
    const { body } = await send({ method: "GET", path, user, retry: [404] });
    return body as Stored;
  }

  async function append(from: number, keyId: string): Promise<void> {
    for (const batch of batchesFrom(plan.messages, from)) await appendBatch(batch, keyId);
  }

  async function appendBatch({ start, messages }: Batch, keyId: string): Promise<void> {
    const idempotencyKey = createHash("sha256").update(`${id}\n${keyId}\n${start}`).digest("hex");
    const request = { method: "POST", path: `${path}/messages`, user, body: { messages }, idempotencyKey } as const;
    // A 409 may be temporary: the same request may still be under way, from this run or from one that was killed.
    const { body } = await send({ ...request, retry: [409] });
    const stored = (body as { data?: unknown[] }).data?.length;
    if (stored !== messages.length)
      throw new Refused(201, `the server stored ${stored} of ${counted(messages.length, "message")}`);
    onStored(messages.length);
  }
}
