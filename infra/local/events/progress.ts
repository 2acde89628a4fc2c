/** The unsettled records of a shard, and the position that its checkpoint may have. */
export interface Progress {
  /** Number of records that are not settled. */
  readonly pending: number;
  /** Size of these records in bytes. */
  readonly pendingBytes: number;
  add(sequenceNumber: string, bytes: number): void;
  settle(sequenceNumber: string): void;
  /** Sets the position up to which the shard was read. Call it before adding the records of a page. */
  readTo(sequenceNumber: string): void;
  /** The sequence number up to which every record is settled. */
  readonly position: string | undefined;
}

export function trackProgress(start: string | undefined): Progress {
  /** In stream order. A settled record stays until all records before it are settled. */
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
      // Records that the filters rejected are settled.
      return open.size === 0 ? read : position;
    },
  };
}
