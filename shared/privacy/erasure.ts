import * as z from "zod";
import type { RecentErasure } from "../lake/leave-out-erased.ts";

const countSchema = z.int().min(0);

const storeSchema = z
  .object({
    name: z.string().meta({ description: "What is stored, as in docs/privacy.md." }),
    found: countSchema,
    erased: countSchema,
    remaining: countSchema,
    checked_at: z.iso.datetime().meta({ description: "When the store was searched last." }),
  })
  .meta({ id: "ErasedStore" });

const restSchema = z
  .object({
    name: z.string(),
    why: z.string(),
    until: z.iso
      .datetime()
      .nullable()
      .meta({ description: "When it is gone; null = it stays, or the operator has to act." }),
  })
  .meta({ id: "ErasureRest" });

export const receiptSchema = z
  .object({
    id: z.uuid(),
    status: z.enum(["running", "complete"]),
    subject: z.string().meta({ description: "The user, as a keyed hash." }),
    requested_at: z.iso.datetime(),
    completed_at: z.iso.datetime().optional(),
    stores: z.array(storeSchema),
    remains: z.array(restSchema).meta({ description: "What the erasure cannot reach at once." }),
    signature: z
      .object({
        algorithm: z.literal("Ed25519"),
        public_key: z.string().meta({ description: "SPKI, in base64." }),
        value: z.string().meta({ description: "In base64, over the receipt without `signature` as canonical JSON." }),
      })
      .optional()
      .meta({ description: "Of a complete receipt. `npm run receipt -- FILE` checks it." }),
  })
  .meta({ id: "Receipt" });

export type Receipt = z.infer<typeof receiptSchema>;

/** An erasure that is not over. */
export interface OpenErasure {
  id: string;
  user: string;
  /** Epoch milliseconds at which writes of the user were refused. */
  since: number;
  /** What was found and erased so far, by the name of the store. */
  counts: Record<string, Count>;
  stage: Stage;
}

/**
 * `sweep`: everything is erased once. `check`: requests that began before the erasure have ended, and every store is searched until nothing
 * is found. `late`: the receipt is signed, and URLs that were signed before the erasure can still upload files.
 */
export type Stage = "sweep" | "check" | "late";

/** How many things of one kind were found, and how many of them are erased for certain. */
export interface Count {
  found: number;
  erased: number;
}

/** Erasures and their receipts. */
export interface ErasureStore {
  /**
   * Stores the receipt and the open erasure, and refuses the writes of the user from now on. Returns the id of the running erasure when
   * one runs already.
   */
  begin(erasure: OpenErasure, receipt: Receipt): Promise<string>;
  findReceipt(id: string): Promise<Receipt | null>;
  /** Lists the erasures that are not over. */
  open(): Promise<OpenErasure[]>;
  /** Takes an erasure for one worker until `until` (epoch ms), and returns it. `null` when another one has it, or when it is over. */
  lease(id: string, holder: string, now: number, until: number): Promise<OpenErasure | null>;
  /** Releases an erasure, so that the next worker can take it at once. */
  release(id: string, holder: string): Promise<void>;
  /** Stores what was found and erased and the stage, and holds the erasure until `until` (epoch ms). False when this worker does not hold the erasure any more. */
  save(erasure: OpenErasure, holder: string, until: number): Promise<boolean>;
  /** Stores the signed receipt, and accepts the writes of the user again, all at once. False as in `save`. */
  complete(erasure: OpenErasure, receipt: Receipt, holder: string): Promise<boolean>;
  /** Forgets the open erasure. Its receipt stays. */
  close(id: string): Promise<void>;
}

/** Finds erasures as the jobs that build the lake see them. */
export async function recentErasures({ open }: Pick<ErasureStore, "open">): Promise<RecentErasure[]> {
  return (await open()).map(({ id, user, stage }) => ({ id, user, isComplete: stage === "late" }));
}

/** One or more stores of personal data, for one user. */
export interface Eraser {
  /**
   * Counts what is stored now, by the name in the registry. Every name is in every answer. `isFinal`: no request that began before the
   * erasure runs any more, so what refuses their late writes has to go as well.
   */
  search(isFinal: boolean): Promise<Record<string, number>>;
  /** Erases what the last search found. May be repeated at any point. Returns false when `isOver` came first. */
  erase(isFinal: boolean, isOver: () => boolean): Promise<boolean>;
}
