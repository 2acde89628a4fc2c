import type { ItemJson, RawRecord } from "./stream-record.ts";

/** The value of index keys that the host adds to expired items: see `completeExpired`. */
export const FILLER = "local-host:no-key-of-this-index";

/** Removes the keys that the host has added from the images of a record. */
export function withoutFillers(raw: RawRecord): RawRecord {
  const { OldImage, NewImage } = raw.dynamodb;
  return {
    ...raw,
    dynamodb: {
      ...raw.dynamodb,
      ...(OldImage && { OldImage: withoutFiller(OldImage) }),
      ...(NewImage && { NewImage: withoutFiller(NewImage) }),
    },
  };
}

const withoutFiller = (item: ItemJson): ItemJson =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => value.S !== FILLER));
