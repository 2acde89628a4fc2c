import { requireBucket } from "../buckets.ts";
import { notImplemented } from "../error.ts";
import type { Operation } from "../operation.ts";
import { listUploads } from "../uploads.ts";
import { renderXml, type XmlChild } from "../xml.ts";
import { encoder, isoDate, owner, readMax } from "./list-objects.ts";

/** ListMultipartUploads. */
export const listMultipartUploads: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  if (request.query.get("delimiter")) throw notImplemented("a delimiter in ListMultipartUploads");
  const max = readMax(request, "max-uploads");
  const prefix = request.query.get("prefix") ?? "";
  const after = { key: request.query.get("key-marker") ?? "", id: request.query.get("upload-id-marker") ?? "\uffff" };
  const found = listUploads(store, bucket, { prefix, after, limit: max + 1 });
  const page = found.slice(0, max);
  const more = found.length > max && max > 0;
  const write = encoder(request);
  return {
    status: 200,
    body: renderXml("ListMultipartUploadsResult", [
      ["Bucket", bucket],
      ["KeyMarker", write(after.key)],
      ["UploadIdMarker", request.query.get("upload-id-marker") ?? ""],
      ["NextKeyMarker", more ? write(page.at(-1)?.key ?? "") : undefined],
      ["NextUploadIdMarker", more ? page.at(-1)?.id : undefined],
      ["Prefix", write(prefix)],
      ["EncodingType", request.query.get("encoding-type")],
      ["MaxUploads", max],
      ["IsTruncated", more],
      ...page.map(
        (upload): XmlChild => [
          "Upload",
          [
            ["Key", write(upload.key)],
            ["UploadId", upload.id],
            [
              "Initiator",
              [
                ["ID", "local"],
                ["DisplayName", "local"],
              ],
            ],
            owner,
            ["StorageClass", upload.storageClass],
            ["Initiated", isoDate(upload.initiated)],
            ["ChecksumAlgorithm", upload.algorithm],
            ["ChecksumType", upload.checksumType],
          ],
        ],
      ),
    ]),
  };
};
