import { checkTags } from "../attributes.ts";
import { readDocument } from "../body.ts";
import { versioningOf } from "../buckets.ts";
import { findObject } from "../find-object.ts";
import { setTags, type Tag } from "../objects.ts";
import type { Operation } from "../operation.ts";
import type { S3Request } from "../request.ts";
import type { Signed } from "../signature.ts";
import type { Store } from "../store.ts";
import { parseXml, renderXml, type XmlChild } from "../xml.ts";

/** GetObjectTagging. */
export const getObjectTagging: Operation = async (store, request) => {
  const object = findObject(store, request);
  const tags = object.tags.map(
    ({ key, value }): XmlChild => [
      "Tag",
      [
        ["Key", key],
        ["Value", value],
      ],
    ],
  );
  return {
    status: 200,
    headers: versionHeader(store, request, object.version),
    body: renderXml("Tagging", [["TagSet", tags]]),
  };
};

/** PutObjectTagging. */
export const putObjectTagging: Operation = async (store, request, signed) => {
  const tags = await readTags(request, signed);
  const version = await replaceTags(store, request, tags);
  return { status: 200, headers: versionHeader(store, request, version) };
};

/** DeleteObjectTagging. */
export const deleteObjectTagging: Operation = async (store, request) => {
  const version = await replaceTags(store, request, []);
  return { status: 204, headers: versionHeader(store, request, version) };
};

async function readTags(request: S3Request, signed: Signed): Promise<Tag[]> {
  const set = parseXml(await readDocument(request, signed), "Tagging").one("TagSet");
  const tags = (set?.all("Tag") ?? []).map((tag) => ({ key: tag.text("Key") ?? "", value: tag.text("Value") ?? "" }));
  return checkTags(tags);
}

async function replaceTags(store: Store, request: S3Request, tags: Tag[]): Promise<string> {
  return store.commit(() => {
    const object = findObject(store, request);
    setTags(store, object, tags);
    return object.version;
  });
}

function versionHeader(store: Store, { bucket = "" }: S3Request, version: string): Record<string, string> {
  return versioningOf(store, bucket) ? { "x-amz-version-id": version } : {};
}
