import { z } from "zod";
import { readDocument } from "../body.ts";
import { findObject, setTags, type Tag, versionHeader } from "../objects.ts";
import type { Operation } from "../route.ts";
import { S3Error } from "../s3-error.ts";
import { parseXml, renderXml } from "../xml.ts";

/** The most tags of one object. */
const MAX_TAGS = 10;

const tagging = z.strictObject({
  // The XML parser reads an element without content as an empty text.
  TagSet: z.preprocess(
    (value) => value || {},
    z.strictObject({ Tag: z.array(z.strictObject({ Key: z.string(), Value: z.string() })).default([]) }),
  ),
});

/** GetObjectTagging. */
export const getObjectTagging: Operation = async (store, request) => {
  const object = findObject(store, request);
  const Tag = object.tags.map(({ key, value }) => ({ Key: key, Value: value }));
  return {
    status: 200,
    headers: versionHeader(store, request.bucket ?? "", object.version),
    body: renderXml("Tagging", { TagSet: { Tag } }),
  };
};

/** PutObjectTagging. */
export const putObjectTagging: Operation = async (store, request, signed) => {
  const { TagSet } = parseXml(await readDocument(request, signed), "Tagging", tagging);
  const tags = checkTags(TagSet.Tag.map(({ Key, Value }) => ({ key: Key, value: Value })));
  const { version } = await store.commit(() => {
    const object = findObject(store, request);
    setTags(store, object, tags);
    return object;
  });
  return { status: 200, headers: versionHeader(store, request.bucket ?? "", version) };
};

/** Throws InvalidTag. */
function checkTags(tags: Tag[]): Tag[] {
  if (tags.length > MAX_TAGS) throw new S3Error("InvalidTag", `Object tags cannot be greater than ${MAX_TAGS}`);
  if (new Set(tags.map(({ key }) => key)).size < tags.length) {
    throw new S3Error("InvalidTag", "Cannot provide multiple Tags with the same key");
  }
  if (tags.some(({ key, value }) => key === "" || key.length > 128 || value.length > 256)) {
    throw new S3Error("InvalidTag", "The TagKey or TagValue you have provided is invalid");
  }
  return tags;
}
