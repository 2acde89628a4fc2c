import { createHash, randomUUID } from "node:crypto";
import { counted } from "../../../../shared/counted.ts";
import { type Batch, batchesFrom, type Plan } from "../plan-session.ts";
import type { Send } from "./api-client.ts";
import { Refused } from "./errors.ts";

export interface SendOptions {
  /** Whom the token acts for; its own user when absent. */
  user: string | undefined;
  send: Send;
  /** Called with the number of messages of each batch that is stored; negative when it turns out that they were not. */
  onStored: (messages: number) => void;
}

/** What the import needs to know of a stored session. */
interface Stored {
  message_count: number;
  metadata: { import_id?: unknown };
}

/**
 * Stores a session through the API, so that it is there once and whole however often this runs and wherever an earlier
 * run broke off. Batches are stored whole, so the session's `message_count` says where to go on.
 *
 * Each batch has an Idempotency-Key, the same in every run: a request whose answer was lost, or that a killed run left
 * under way, has one effect. The key is bound to `import_id`, which the session got when it was created: a session that
 * was deleted and is imported again must not be answered from the requests of the one before.
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
  // Also when the answer to the first attempt was lost, and the second was told that the session is there.
  if (!stored || stored.metadata.import_id === importId) {
    await append(0, importId);
    return "imported";
  }
  if (stored.message_count >= plan.messages.length) return "existing";
  await append(stored.message_count, String(stored.metadata.import_id ?? ""));
  // Where messages were taken away since (a reset), the old keys get old answers: only the count shows it.
  const { message_count: count } = await read();
  if (count < plan.messages.length) {
    onStored(count - plan.messages.length);
    await append(count, importId);
  }
  return "resumed";

  /** Whether the session is new. The id it brings does what an Idempotency-Key would, at no cost to the store. */
  async function create(): Promise<boolean> {
    const body = { ...plan.session, metadata: { ...plan.session.metadata, import_id: importId } };
    const { status } = await send({ method: "POST", path: "/v1/sessions", user, body, accept: [409] });
    return status !== 409;
  }

  async function read(): Promise<Stored> {
    // 404 may pass: the request that makes the session may still be under way.
    const { body } = await send({ method: "GET", path, user, retry: [404] });
    return body as Stored;
  }

  async function append(from: number, keyId: string): Promise<void> {
    for (const batch of batchesFrom(plan.messages, from)) await appendBatch(batch, keyId);
  }

  async function appendBatch({ start, messages }: Batch, keyId: string): Promise<void> {
    const idempotencyKey = createHash("sha256").update(`${id}\n${keyId}\n${start}`).digest("hex");
    const request = { method: "POST", path: `${path}/messages`, user, body: { messages }, idempotencyKey } as const;
    // 409 may pass: the same request is still under way, sent by this run or by one that was killed.
    const { body } = await send({ ...request, retry: [409] });
    const stored = (body as { data?: unknown[] }).data?.length;
    if (stored !== messages.length)
      throw new Refused(201, `the server stored ${stored} of ${counted(messages.length, "message")}`);
    onStored(messages.length);
  }
}
