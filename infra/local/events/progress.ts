/** The unsettled records of a shard, and the position that its checkpoint may have. */
export type Progress = ReturnType<typeof trackProgress>;

export function trackProgress(start: string | undefined) {
  /** In stream order. A settled record stays until all records before it are settled. */
  const open = new Map<string, { bytes: number; settled: boolean }>();
  let pending = 0;
  let pendingBytes = 0;
  let position = start;
  let read = start;
  return {
    /** Number of records that are not settled. */
    get pending() {
      return pending;
    },
    /** Size of these records in bytes. */
    get pendingBytes() {
      return pendingBytes;
    },
    add(sequenceNumber: string, bytes: number): void {
      open.set(sequenceNumber, { bytes, settled: false });
      pending++;
      pendingBytes += bytes;
    },
    settle(sequenceNumber: string): void {
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
    /** Sets the position up to which the shard was read. Call it before adding the records of a page. */
    readTo(sequenceNumber: string): void {
      if (open.size === 0) position = read;
      read = sequenceNumber;
    },
    /** The sequence number up to which every record is settled. Records that the filters rejected are settled. */
    get position() {
      return open.size === 0 ? read : position;
    },
  };
}
