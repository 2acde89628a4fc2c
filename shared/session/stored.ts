/** What an operation has stored for the first time: what was there already does not count. */
export interface Stored {
  sessions?: number;
  messages?: number;
}

/** Called as soon as something is stored, so that it counts also when the operation fails after that. */
export type OnStored = (stored: Stored) => void;
