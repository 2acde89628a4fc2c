import { readDocument } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import { notImplemented, S3Error } from "../error.ts";
import { deleteObject as deleteOne } from "../objects.ts";
import type { Operation } from "../operation.ts";
import { checkKey } from "../request.ts";
import { parseXml, renderXml, type XmlChild, type XmlElement } from "../xml.ts";

/** Most keys of one DeleteObjects. */
const MAX_KEYS = 1000;

/** DeleteObject. */
export const deleteObject: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  for (const name of ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"]) {
    if (request.header(name) !== undefined) throw notImplemented(`${name}, which is for directory buckets`);
  }
  const options = { version: request.query.get("versionId"), ifMatch: request.header("if-match") };
  const { version, marker } = await store.commit((free) => deleteOne(store, free, bucket, request.key ?? "", options));
  return {
    status: 204,
    headers: { "x-amz-version-id": version, "x-amz-delete-marker": marker ? "true" : undefined },
  };
};

/** DeleteObjects: each key has its own result. */
export const deleteObjects: Operation = async (store, request, signed, access) => {
  const bucket = requireBucket(store, request.bucket);
  const document = parseXml(await readDocument(request, signed), "Delete");
  const entries = document.all("Object");
  if (entries.length === 0 || entries.length > MAX_KEYS) {
    throw new S3Error("MalformedXML", `A DeleteObjects request names from 1 to ${MAX_KEYS} objects.`);
  }
  const quiet = document.text("Quiet") === "true";
  const results = await store.commit((free) =>
    entries.map((entry): XmlChild[] => {
      const key = entry.text("Key") ?? "";
      const version = entry.text("VersionId") || undefined;
      try {
        checkEntry(entry, key);
        access?.checkDelete(signed.accessKeyId, bucket, key, version);
        const deleted = deleteOne(store, free, bucket, key, { version, ifMatch: entry.text("ETag") });
        return quiet ? [] : [["Deleted", describe(key, version, deleted)]];
      } catch (error) {
        if (!(error instanceof S3Error)) throw error;
        return [
          [
            "Error",
            [
              ["Key", key],
              ["VersionId", version],
              ["Code", error.code],
              ["Message", error.message],
            ],
          ],
        ];
      }
    }),
  );
  return { status: 200, body: renderXml("DeleteResult", results.flat()) };
};

function checkEntry(entry: XmlElement, key: string): void {
  if (key === "") throw new S3Error("MalformedXML", "An object to delete has no key.");
  checkKey(key);
  const unknown = entry.names.find((name) => !["Key", "VersionId", "ETag"].includes(name));
  if (unknown) throw notImplemented(`${unknown} in DeleteObjects`);
}

function describe(
  key: string,
  asked: string | undefined,
  { version, marker }: { version: string | undefined; marker: boolean },
): XmlChild[] {
  return [
    ["Key", key],
    ["VersionId", asked],
    ["DeleteMarker", marker || undefined],
    ["DeleteMarkerVersionId", marker ? version : undefined],
  ];
}
