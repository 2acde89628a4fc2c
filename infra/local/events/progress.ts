/** Which records of a shard are still being worked on, and how far that lets its checkpoint move. */
export interface Progress {
  /** Records that were read and wait for delivery, or for the end of it. */
  readonly pending: number;
  /** Their size, in bytes. */
  readonly pendingBytes: number;
  add(sequenceNumber: string, bytes: number): void;
  settle(sequenceNumber: string): void;
  /** Everything up to here was read; said before the records of the page are added. */
  readTo(sequenceNumber: string): void;
  /** The sequence number up to which every record is settled. */
  readonly position: string | undefined;
}

export function trackProgress(start: string | undefined): Progress {
  /** In the order of the stream; settled ones stay until all before them are settled too. */
  const open = new Map<string, { bytes: number; settled: boolean }>();
  let pending = 0;
  let pendingBytes = 0;
  let position = start;
  let read = start;
  return {
    get pending() {
      return pending;
    },
    get pendingBytes() {
      return pendingBytes;
    },
    add(sequenceNumber, bytes) {
      open.set(sequenceNumber, { bytes, settled: false });
      pending++;
      pendingBytes += bytes;
    },
    settle(sequenceNumber) {
      const record = open.get(sequenceNumber);
      if (!record || record.settled) return;
      record.settled = true;
      pending--;
      pendingBytes -= record.bytes;
      for (const [number, { settled }] of open) {
        if (!settled) break;
        position = number;
        open.delete(number);
      }
    },
    readTo(sequenceNumber) {
      if (open.size === 0) position = read;
      read = sequenceNumber;
    },
    get position() {
      // What was read and filtered out needs no delivery.
      return open.size === 0 ? read : position;
    },
  };
}
