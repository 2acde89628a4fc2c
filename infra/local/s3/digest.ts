import { createHash } from "node:crypto";
import { type Checksum, type ChecksumAlgorithm, createHasher } from "./checksum.ts";
import { incomplete } from "./chunked.ts";

/** What a body turned out to be, once it has been read to its end. */
export interface Digests {
  /** Bytes. */
  size: number;
  md5: Buffer;
  checksum: Checksum | undefined;
}

export interface Body {
  /** To be read once. */
  stream: AsyncIterable<Buffer>;
  /** Throws when the stream has not ended well. */
  digests(): Digests;
}

/** Computes the digests of a stream while somebody reads it. */
export function digesting(source: AsyncIterable<Buffer>, algorithm: ChecksumAlgorithm | undefined): Body {
  let digests: Digests | undefined;
  async function* read(): AsyncGenerator<Buffer> {
    const md5 = createHash("md5");
    const hasher = algorithm && createHasher(algorithm);
    let size = 0;
    for await (const data of source) {
      size += data.length;
      md5.update(data);
      hasher?.update(data);
      yield data;
    }
    const value = hasher && Buffer.from(await hasher.digest()).toString("base64");
    const checksum: Checksum | undefined = algorithm && value ? { algorithm, value, type: "FULL_OBJECT" } : undefined;
    digests = { size, md5: md5.digest(), checksum };
  }
  return {
    stream: read(),
    digests: () => {
      if (!digests) throw incomplete();
      return digests;
    },
  };
}
