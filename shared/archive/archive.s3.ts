import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { AppError } from "../errors.ts";
import type { Archive, ArchivedHeader } from "../session/archive.ts";
import { createWriter, parseLines } from "./format.ts";
import type { Condition, Objects } from "./objects.s3.ts";
import { userPart } from "./user-part.ts";

type Identity = Pick<ArchivedHeader, "user_id" | "id" | "created_at">;

/**
 * The archive as objects `archive/dt=<day of creation>/<user>/<session>.jsonl.gz` in a bucket, which the first call opens: most
 * requests need none.
 */
export function createArchive(open: () => Promise<Objects>): Archive {
  let opened: Promise<Objects> | undefined;
  const objects = () => {
    opened ??= open();
    return opened;
  };

  const head = async (key: string) => {
    try {
      const { ETag, Metadata } = await (await objects()).head(key);
      return { etag: ETag ?? "", generation: Number(Metadata?.generation) };
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw translate(error);
    }
  };

  /** Uploads unless something is in the way that the condition does not allow; then `null`. */
  const upload = async (header: ArchivedHeader, body: AsyncIterable<Buffer>, condition: Condition) => {
    const { upload: send } = await objects();
    try {
      const metadata = { generation: String(header.live_generation) };
      const { ETag } = await send(keyOf(header), Readable.from(body, { objectMode: false }), metadata, condition);
      return ETag ?? null;
    } catch (error) {
      // 409: another conditional write of the same key was under way.
      if (statusOf(error) === 412 || statusOf(error) === 409) return null;
      throw translate(error);
    }
  };

  return {
    async write(header, messages) {
      const key = keyOf(header);
      let condition: Condition = { IfNoneMatch: "*" };
      for (;;) {
        const writer = createWriter(header);
        let etag = await upload(header, writer.body(messages()), condition);
        if (!etag) {
          const present = await head(key);
          if (present?.generation === header.live_generation) {
            // What was not sent still has to be read, to know where its chunks are.
            for await (const _ of writer.rest());
            etag = present.etag;
          } else {
            condition = present ? { IfMatch: present.etag } : { IfNoneMatch: "*" };
            continue;
          }
        }
        const { chunks, bytes, messageCount, last } = writer.result();
        return { ref: { key, etag, bytes, chunks }, messageCount, last };
      }
    },

    async readChunk(ref, n) {
      const chunk = ref.chunks[n];
      if (!chunk) return [];
      const end = (ref.chunks[n + 1]?.offset ?? ref.bytes) - 1;
      try {
        const bytes = await (await objects()).read(ref.key, ref.etag, `bytes=${chunk.offset}-${end}`);
        return parseLines(gunzipSync(bytes ?? new Uint8Array()));
      } catch (error) {
        if (statusOf(error) === 404 || statusOf(error) === 412) throw gone(error);
        throw translate(error);
      }
    },

    async find(session) {
      return (await head(keyOf(session)))?.etag ?? null;
    },

    async remove(session, etag) {
      try {
        await (await objects()).remove(keyOf(session), etag);
      } catch (error) {
        // Gone already, or replaced by a newer one: either way this one is no longer there.
        if (statusOf(error) !== 404 && statusOf(error) !== 412) throw translate(error);
      }
    },

    async ping() {
      try {
        await (await objects()).ping();
      } catch (error) {
        throw translate(error);
      }
    },
  };
}

export function keyOf({ user_id, id, created_at }: Identity): string {
  return `archive/dt=${created_at.slice(0, 10)}/${userPart(user_id)}/${encodeURIComponent(id)}.jsonl.gz`;
}

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

const gone = (cause: unknown): AppError => new AppError("not_found", "the archive of this session is gone", { cause });

function translate(error: unknown): AppError {
  const status = statusOf(error);
  return status === undefined || status >= 500 || status === 429
    ? new AppError("unavailable", "the archive does not answer", { cause: error, retryAfter: 1 })
    : new AppError("internal", "the archive refused a call", { cause: error });
}
