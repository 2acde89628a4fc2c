/** The choices of a person, and the running erasure of the person's data. */
export interface Person {
  /** Whether messages become memories and are recalled. */
  memory: boolean;
  /** The id of the running erasure; absent = none runs. */
  erasing?: string;
}

/** The choices of a user without a record. */
export const newPerson: Person = { memory: true };

/** The records of persons. Only an erasure sets `erasing`, together with its receipt. */
export interface PersonStore {
  /** Reads a record with half a read unit. A change shows after a moment, usually less than a second. */
  find(user: string): Promise<Person>;
  /**
   * Stores the choice. Messages that are sent while memory is off never become memories. `now` is in epoch milliseconds. Throws
   * `being_erased`.
   */
  setMemory(user: string, memory: boolean, now: number): Promise<Person>;
}
