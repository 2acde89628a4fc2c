/** A record as it was cut out of a file, before anybody parsed it. */
export interface RawRecord {
  /** Where it begins: lines count from 1. */
  line: number;
  /** Its place in the file's array, counted from 0; absent in JSON Lines. */
  index?: number;
  /** UTF-8 JSON, or what kept it from being cut out. */
  content: Buffer | { problem: string };
}

/**
 * Bytes that one record may have. It has to be held whole, so this bounds the memory; a session of 10,000 messages and
 * 50 MB fits.
 */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Collects the bytes of a record across chunks and lets them go as soon as they are too many. */
export function createCollector(maxBytes: number): {
  add(bytes: Buffer): void;
  take(): RawRecord["content"];
  size(): number;
} {
  let parts: Buffer[] = [];
  let size = 0;
  return {
    add(bytes) {
      size += bytes.length;
      if (size > maxBytes) parts = [];
      else parts.push(bytes);
    },
    take() {
      const whole =
        size > maxBytes ? { problem: `the record is larger than ${maxBytes} bytes` } : Buffer.concat(parts, size);
      parts = [];
      size = 0;
      return whole;
    },
    size: () => size,
  };
}
