import { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { AppError } from "../errors.ts";
import { statusOf, translate } from "../s3/translate.ts";
import type { Condition } from "../s3/upload-object.ts";
import type { Archive, ArchivedHeader } from "../session/archive.ts";
import { createWriter, parseLines } from "./archived-lines.ts";
import type { Objects } from "./objects.s3.ts";
import { formerUserPart, userPart } from "./user-part.ts";

type Identity = Pick<ArchivedHeader, "user_id" | "id" | "created_at">;

/**
 * Stores the archive as objects `archive/dt=<day of creation>/<user>/<session>.jsonl.gz` in a bucket. The first call opens the bucket,
 * because most requests do not use it. For users whose id begins with `_` or `.`, earlier versions of Memocha wrote objects under another
 * key. Such an object is read under that key, replaced when its session is archived again, and deleted with its session.
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
      return { etag: ETag ?? "", generation: Number(Metadata?.generation ?? 0) };
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw translate(error, "archive");
    }
  };

  /** Uploads an object; `null` when the condition does not hold. */
  const upload = async (key: string, header: ArchivedHeader, body: AsyncIterable<Buffer>, condition: Condition) => {
    const { upload: send } = await objects();
    try {
      const metadata = { generation: String(header.live_generation) };
      const { ETag } = await send(key, Readable.from(body, { objectMode: false }), metadata, condition);
      return ETag ?? null;
    } catch (error) {
      // 409: another conditional write of the same key was running.
      if (statusOf(error) === 412 || statusOf(error) === 409) return null;
      throw translate(error, "archive");
    }
  };

  const remove = async (key: string, etag: string) => {
    try {
      await (await objects()).remove(key, etag);
    } catch (error) {
      // The object was already deleted or replaced by a newer one.
      if (statusOf(error) !== 404 && statusOf(error) !== 412) throw translate(error, "archive");
    }
  };

  return {
    async write(header, messages) {
      const former = formerKeyOf(header);
      const left = former ? await head(former) : null;
      // Keep an object of the same generation, because a stub may already name it.
      const key = former && left?.generation === header.live_generation ? former : keyOf(header);
      let condition: Condition = { IfNoneMatch: "*" };
      for (;;) {
        const writer = createWriter(header);
        let etag = await upload(key, header, writer.body(messages()), condition);
        if (!etag) {
          const present = await head(key);
          if (present?.generation === header.live_generation) {
            // Compute the bytes that were not sent, too, because the stub needs the offsets of all chunks.
            for await (const _ of writer.rest());
            etag = present.etag;
          } else if (present && present.generation > header.live_generation) {
            return null;
          } else {
            condition = present ? { IfMatch: present.etag } : { IfNoneMatch: "*" };
            continue;
          }
        }
        if (former && left && left.generation < header.live_generation) await remove(former, left.etag);
        const { chunks, bytes, ...tally } = writer.result();
        const tree = header.tree.branches.length > 1 ? { tree: header.tree } : {};
        return { ref: { key, etag, bytes, chunks, ...tree }, ...tally };
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
        throw translate(error, "archive");
      }
    },

    async find(session) {
      return (await Promise.all(keysOf(session).map(head))).filter((object) => object !== null);
    },

    async remove(session, etag) {
      for (const key of keysOf(session)) await remove(key, etag);
    },

    async ping() {
      try {
        await (await objects()).ping();
      } catch (error) {
        throw translate(error, "archive");
      }
    },
  };
}

/** The key that a session is archived under. */
export function keyOf(session: Identity): string {
  return keyBelow(userPart(session.user_id), session);
}

/** The key that earlier versions used for this session; `null` when it is the same. */
export function formerKeyOf(session: Identity): string | null {
  const key = keyBelow(formerUserPart(session.user_id), session);
  return key === keyOf(session) ? null : key;
}

const keyBelow = (part: string, { id, created_at }: Identity): string =>
  `archive/dt=${created_at.slice(0, 10)}/${part}/${encodeURIComponent(id)}.jsonl.gz`;

/** The keys under which the session can be stored. */
const keysOf = (session: Identity): string[] => [keyOf(session), formerKeyOf(session)].filter((key) => key !== null);

const gone = (cause: unknown): AppError =>
  new AppError("not_found", "the archived messages of this session no longer exist", { cause });
