import { callAfter, callEvery } from "../clock.ts";
import type { TurnId, TurnStore } from "./turn-store.ts";

/** Milliseconds between two checks for a stop, so that the provider's connection is closed within a second. A check costs one read unit. */
const LOOK_EVERY = 500;

/** Ends the model's call when its time is over or a client stops the turn. */
export interface TurnWatch {
  /** Aborts the model's call. */
  signal: AbortSignal;
  /** Whether a client has stopped the turn. */
  isStopped(): boolean;
  /** Must be called when the call has ended. */
  end(): void;
}

/** Watches a turn for so many milliseconds. A client may stop it through any function instance, so the mark is in the store. */
export function watchTurn(turns: Pick<TurnStore, "isStopped">, turn: TurnId, milliseconds: number): TurnWatch {
  const controller = new AbortController();
  let isStopped = false;
  const cancelTimeout = callAfter(milliseconds, () => controller.abort());
  // A failed check is repeated soon.
  const stopLooking = callEvery(LOOK_EVERY, () => void look().catch(() => undefined));
  return { signal: controller.signal, isStopped: () => isStopped, end };

  async function look(): Promise<void> {
    if (controller.signal.aborted || !(await turns.isStopped(turn))) return;
    // The time may have run out during the check. Then the answer broke off.
    isStopped = !controller.signal.aborted;
    controller.abort();
    stopLooking();
  }

  function end(): void {
    cancelTimeout();
    stopLooking();
  }
}
