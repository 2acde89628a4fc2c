import * as z from "zod";
import type { RecentErasure } from "../lake/leave-out-erased.ts";

const countSchema = z.int().min(0);

const storeSchema = z
  .object({
    name: z.string().meta({ description: "The kind of data, as in docs/privacy.md." }),
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
      .meta({ description: "When it will be gone; null = it stays, or the operator has to delete it." }),
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
        value: z
          .string()
          .meta({ description: "The signature of the receipt without `signature`, as canonical JSON; base64." }),
      })
      .optional()
      .meta({ description: "Present when the receipt is complete. `npm run receipt -- FILE` checks it." }),
  })
  .meta({ id: "Receipt" });

export type Receipt = z.infer<typeof receiptSchema>;

/** An erasure that is not over. */
export interface OpenErasure {
  id: string;
  user: string;
  /** Epoch milliseconds from which the user's writes are refused. */
  since: number;
  /** The numbers of things found and erased so far, by the name of the store. */
  counts: Record<string, Count>;
  stage: Stage;
}

/**
 * `sweep`: the job erases everything once. `check`: requests that began before the erasure have ended, and the job searches every store
 * until it finds nothing. `late`: the receipt is signed, but URLs that were signed before the erasure can still upload files.
 */
export type Stage = "sweep" | "check" | "late";

/** How many things of one kind were found, and how many of them are certainly erased. */
export interface Count {
  found: number;
  erased: number;
}

/** Erasures and their receipts. */
export interface ErasureStore {
  /**
   * Stores the receipt and the open erasure. From now on, the user's writes are refused. Returns the id of the running erasure, which is
   * another one if an erasure runs already.
   */
  begin(erasure: OpenErasure, receipt: Receipt): Promise<string>;
  findReceipt(id: string): Promise<Receipt | null>;
  /** Lists the erasures that are not over. */
  open(): Promise<OpenErasure[]>;
  /** Leases an erasure to one worker until `until` (epoch ms), and returns it. `null` when another worker has it, or when it is over. */
  lease(id: string, holder: string, now: number, until: number): Promise<OpenErasure | null>;
  /** Releases an erasure, so that the next worker can take it at once. */
  release(id: string, holder: string): Promise<void>;
  /** Stores the counts and the stage, and extends the lease until `until` (epoch ms). False when this worker no longer holds the lease. */
  save(erasure: OpenErasure, holder: string, until: number): Promise<boolean>;
  /** Stores the signed receipt and accepts the user's writes again, in one transaction. False as in `save`. */
  complete(erasure: OpenErasure, receipt: Receipt, holder: string): Promise<boolean>;
  /** Deletes the open erasure. Its receipt stays. */
  close(id: string): Promise<void>;
}

/** Lists the open erasures in the form that the jobs of the lake need. */
export async function recentErasures({ open }: Pick<ErasureStore, "open">): Promise<RecentErasure[]> {
  return (await open()).map(({ id, user, stage }) => ({ id, user, isComplete: stage === "late" }));
}

/** One or more stores of personal data, for one user. */
export interface Eraser {
  /**
   * Counts the things that are stored now, by their name in the registry. Every answer has every name. `isFinal` says that no request from
   * before the erasure runs any more, so that the items which refuse late writes are searched and erased too.
   */
  search(isFinal: boolean): Promise<Record<string, number>>;
  /** Erases what the last search found. May be repeated after a stop at any point. Returns false when `isOver` stopped it. */
  erase(isFinal: boolean, isOver: () => boolean): Promise<boolean>;
}
