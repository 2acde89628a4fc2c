import { isDeepStrictEqual } from "node:util";
import type { ItemJson, RawRecord } from "./stream-record.ts";

/** An attribute that the host adds to an expired item before it deletes it. Its value maps the TTL attribute's name to its value. */
export const EXPIRED_MARK = "local_host_expired";

/** The identity of TTL deletions in the stream. */
export const TTL_SERVICE = { type: "Service", principalId: "dynamodb.amazonaws.com" };

/**
 * Returns a record without the mark. If a deleted item had the mark and the marked expiry time, TTL deleted it: the record gets the
 * identity of TTL deletions.
 */
export function readMark(raw: RawRecord): RawRecord {
  const { OldImage, NewImage } = raw.dynamodb;
  const mark = OldImage?.[EXPIRED_MARK];
  if (mark === undefined && NewImage?.[EXPIRED_MARK] === undefined) return raw;
  const [ttl, time] = Object.entries((mark?.M ?? {}) as ItemJson)[0] ?? [];
  const isExpiry = raw.eventName === "REMOVE" && ttl !== undefined && isDeepStrictEqual(OldImage?.[ttl], time);
  return {
    ...raw,
    dynamodb: {
      ...raw.dynamodb,
      ...(OldImage && { OldImage: withoutMark(OldImage) }),
      ...(NewImage && { NewImage: withoutMark(NewImage) }),
    },
    ...(isExpiry && { userIdentity: TTL_SERVICE }),
  };
}

function withoutMark({ [EXPIRED_MARK]: _mark, ...item }: ItemJson): ItemJson {
  return item;
}
