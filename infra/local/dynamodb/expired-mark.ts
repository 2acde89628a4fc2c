import { isDeepStrictEqual } from "node:util";
import type { ItemJson, RawRecord } from "./stream-record.ts";

/** An attribute that the host adds to an expired item before it deletes it: a map of the TTL attribute's name and value at that moment. */
export const EXPIRED_MARK = "local_host_expired";

/** Who deletes expired items, in the stream. */
export const TTL_SERVICE = { type: "Service", principalId: "dynamodb.amazonaws.com" };

/**
 * Gives a record without the mark. The deletion of an item that is marked, and has the marked time still, is one by TTL: it gets the
 * identity that AWS gives it.
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
