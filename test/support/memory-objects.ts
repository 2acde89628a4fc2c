import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { parseLines } from "../../shared/archive/archived-lines.ts";
import type { Objects } from "../../shared/archive/objects.s3.ts";
import type { Condition } from "../../shared/s3/upload-object.ts";

interface Stored {
  body: Buffer;
  etag: string;
  metadata: Record<string, string>;
}

/**
 * The objects of a bucket in memory, with S3's conditions and statuses. `before` is awaited before each call. The bucket starts with
 * the objects of `from`, another bucket.
 */
export function createMemoryObjects(before: () => Promise<void>, from: Iterable<[string, Stored]> = []) {
  const objects = new Map<string, Stored>(from);
  const find = (key: string): Stored => objects.get(key) ?? fail(404);

  const port = {
    async head(key: string) {
      await before();
      const { etag, metadata } = find(key);
      return { ETag: etag, Metadata: metadata };
    },
    async read(key: string, etag: string, range: string) {
      await before();
      const stored = find(key);
      if (stored.etag !== etag) fail(412);
      const [first, last] = range.replace("bytes=", "").split("-").map(Number);
      return stored.body.subarray(first, (last ?? 0) + 1);
    },
    async upload(
      key: string,
      stream: AsyncIterable<Uint8Array>,
      metadata: Record<string, string>,
      condition: Condition,
    ) {
      const pieces: Uint8Array[] = [];
      for await (const piece of stream) pieces.push(piece);
      const body = Buffer.concat(pieces);
      await before();
      const present = objects.get(key);
      if ("IfNoneMatch" in condition ? present : present?.etag !== condition.IfMatch) fail(412);
      const etag = `"${createHash("md5").update(body).digest("hex")}"`;
      objects.set(key, { body, etag, metadata });
      return { ETag: etag };
    },
    async remove(key: string, etag: string) {
      await before();
      if (find(key).etag !== etag) fail(412);
      objects.delete(key);
    },
    ping: before,
  };

  return {
    objects: port as unknown as Objects,
    /** Returns the contents of the messages in all objects. */
    contents(): string[] {
      const lines = [...objects.values()].flatMap(({ body }) => parseLines(gunzipSync(body)));
      return lines.filter(({ role }) => role !== undefined).map(({ content }) => content);
    },
    size: (): number => objects.size,
    all: (): [string, Stored][] => [...objects],
  };
}

const fail = (status: number): never => {
  throw Object.assign(new Error(`S3 answers ${status}`), { $metadata: { httpStatusCode: status } });
};
