import { type Clock, toInstant } from "../clock.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import { timeOrderedId } from "../session/message.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { ErasureStore, Receipt } from "./erasure.ts";
import type { PrivacyKey } from "./receipt.ts";

export interface ErasureDependencies {
  erasures: ErasureStore;
  openKey: () => Promise<Pick<PrivacyKey, "subjectOf">>;
  clock: Clock;
}

/** Begins the erasure of a user, or returns the receipt of the one that runs. */
export async function requestErasure(
  { erasures, openKey, clock }: ErasureDependencies,
  user: string,
  identity: RequestIdentity,
): Promise<Receipt> {
  const id = timeOrderedId(identity, 0);
  const subject = (await openKey()).subjectOf(user);
  const requested_at = toInstant(identity.at);
  const receipt: Receipt = { id, status: "running", subject, requested_at, stores: [], remains: [] };
  const running = await erasures.begin({ id, user, since: clock(), counts: {}, stage: "sweep" }, receipt);
  return (await erasures.findReceipt(running)) ?? receipt;
}

/** Finds a receipt that has not expired. Throws `not_found`. A user who is not an admin finds only receipts about that user. */
export async function findReceipt(
  { erasures, openKey, clock }: ErasureDependencies,
  id: string,
  user: string,
  isAdmin: boolean,
): Promise<Receipt> {
  const receipt = await erasures.findReceipt(id);
  // Check the expiry, because TTL may delete the receipt days late.
  const isThere = receipt && clock() < Date.parse(receipt.requested_at) + retention.erasureReceipt.seconds * 1000;
  if (!isThere || !(isAdmin || receipt.subject === (await openKey()).subjectOf(user))) {
    throw new AppError("not_found", "no such erasure");
  }
  return receipt;
}
