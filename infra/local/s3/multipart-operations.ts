import { createHash } from "node:crypto";
import { z } from "zod";
import { checksumHeaders, openBody, readDocument } from "./body.ts";
import { readMetadata, storeBody } from "./object-operations.ts";
import type { Store } from "./object-store.ts";
import { insertObject, requireBucket, writeConditions } from "./objects.ts";
import type { Operation } from "./operation.ts";
import type { S3Request } from "./request.ts";
import { S3Error } from "./s3-error.ts";
import {
  createUpload,
  deleteUpload,
  listParts,
  putPart,
  requireUpload,
  type Upload,
  type UploadedPart,
} from "./uploads.ts";
import { parseXml, renderXml } from "./xml.ts";

const MAX_PART_NUMBER = 10_000;
/** The smallest size of every part but the last: 5 MiB. */
const MIN_PART = 5 * 1024 * 1024;

export const createMultipartUpload: Operation = async (store, request) => {
  const { bucket, key } = request;
  requireBucket(store, bucket);
  const UploadId = await createUpload(store, bucket, key, readMetadata(request));
  return {
    status: 200,
    body: renderXml("InitiateMultipartUploadResult", { Bucket: bucket, Key: key, UploadId }),
  };
};

export const uploadPart: Operation = async (store, request, signed) => {
  openUpload(store, request);
  const number = Number(request.query.get("partNumber"));
  if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) {
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
  }
  return storeBody(store, openBody(request, signed), async (id, { size, md5, checksum }) => {
    await store.commit((free) => {
      // Another request may have completed or aborted the upload while this part arrived.
      putPart(store, free, openUpload(store, request).id, { id, size, number, etag: md5 });
    });
    return {
      status: 200,
      headers: { etag: `"${md5}"`, ...checksumHeaders(checksum), "x-amz-checksum-type": undefined },
    };
  });
};

/** The object takes over the files of the parts, so that nothing is copied. It has no checksum. */
export const completeMultipartUpload: Operation = async (store, request, signed) => {
  const conditions = writeConditions(request);
  const { Part } = parseXml(await readDocument(request, signed), "CompleteMultipartUpload", completion);
  const { bucket, key, etag } = await store.commit((free) => {
    const upload = openUpload(store, request);
    const chosen = chooseParts(store, upload, Part);
    const md5 = createHash("md5");
    for (const part of chosen) md5.update(Buffer.from(part.etag, "hex"));
    const object = {
      parts: chosen.map(({ id, size }) => ({ id, size })),
      etag: `${md5.digest("hex")}-${chosen.length}`,
      metadata: upload.metadata,
    };
    insertObject(store, free, upload.bucket, upload.key, object, conditions);
    deleteUpload(store, free, upload.id, chosen);
    return { ...upload, etag: object.etag };
  });
  return {
    status: 200,
    body: renderXml("CompleteMultipartUploadResult", {
      Location: `http://${request.header("host")}${request.rawPath}`,
      Bucket: bucket,
      Key: key,
      ETag: `"${etag}"`,
    }),
  };
};

export const abortMultipartUpload: Operation = async (store, request) => {
  const { id } = openUpload(store, request);
  await store.commit((free) => deleteUpload(store, free, id));
  return { status: 204 };
};

/** The upload that a request names. Throws NoSuchUpload. */
function openUpload(store: Store, { bucket, key, query }: S3Request): Upload {
  requireBucket(store, bucket);
  return requireUpload(store, bucket, key, query.get("uploadId") ?? "");
}

/** Parts also have their checksums here. They were compared when the parts arrived. */
const completion = z.strictObject({
  Part: z.array(z.object({ PartNumber: z.coerce.number(), ETag: z.string() })),
});

function chooseParts(store: Store, upload: Upload, list: z.infer<typeof completion>["Part"]): UploadedPart[] {
  const uploaded = new Map(listParts(store, upload.id).map((part) => [part.number, part]));
  const chosen = list.map(({ PartNumber, ETag }) => {
    const part = uploaded.get(PartNumber);
    if (part?.etag === ETag.trim().replace(/^"(.*)"$/, "$1")) return part;
    throw new S3Error("InvalidPart", `The part ${PartNumber} does not exist, or has another ETag.`);
  });
  if (chosen.some((part, index) => index > 0 && part.number <= (chosen[index - 1]?.number ?? 0))) {
    throw new S3Error("InvalidPartOrder", "The list of parts was not in ascending order.");
  }
  const small = chosen.slice(0, -1).find(({ size }) => size < MIN_PART);
  if (!small) return chosen;
  throw new S3Error(
    "EntityTooSmall",
    `Part ${small.number} has ${small.size} bytes. All but the last need ${MIN_PART}.`,
  );
}
