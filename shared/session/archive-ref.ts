/** An archived session: where it is and how to find a message in it. */
export interface ArchiveRef {
  /** Object key; a function of the session alone. */
  key: string;
  /** ETag of the object, so that one is never taken for another. */
  etag: string;
  /** Bytes of the object. */
  bytes: number;
  /** The parts that can be read on their own, in order. */
  chunks: Chunk[];
}

export interface Chunk {
  /** Byte at which it starts in the object; it ends where the next one starts. */
  offset: number;
  /** Position of its first message. */
  first: string;
}
