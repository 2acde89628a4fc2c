import { createHash } from "node:crypto";
import { z } from "zod";
import { openBody, readDocument } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import {
  type Checksum,
  checksumElement,
  checksumHeaders,
  createHasher,
  readAlgorithm,
  statedChecksum,
} from "../checksum.ts";
import type { Store } from "../object-store.ts";
import { insertObject } from "../objects.ts";
import { readMetadata } from "../read-metadata.ts";
import type { S3Request } from "../request.ts";
import type { Operation } from "../route.ts";
import { notImplemented, S3Error } from "../s3-error.ts";
import type { Signed } from "../signature.ts";
import {
  createUpload,
  deleteUpload,
  listParts,
  listUploads,
  putPart,
  requireUpload,
  type Upload,
  type UploadedPart,
} from "../uploads.ts";
import { parseXml, renderXml } from "../xml.ts";
import { encoder, isoDate } from "./list-objects.ts";
import { storeBody, writeConditions } from "./put-object.ts";

const MAX_PART_NUMBER = 10_000;
/** The smallest size of every part but the last: 5 MiB. */
const MIN_PART = 5 * 1024 * 1024;

/** CreateMultipartUpload. The checksum of the object will be computed over the checksums of its parts. */
export const createMultipartUpload: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const key = request.key ?? "";
  const name = request.header("x-amz-checksum-algorithm");
  const algorithm = name ? readAlgorithm(name) : undefined;
  const type = request.header("x-amz-checksum-type") ?? "COMPOSITE";
  if (type !== "COMPOSITE") throw notImplemented(`x-amz-checksum-type: ${type} in a multipart upload`);
  const id = await createUpload(store, { bucket, key, metadata: readMetadata(request), algorithm });
  return {
    status: 200,
    headers: { "x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": algorithm && type },
    body: renderXml("InitiateMultipartUploadResult", { Bucket: bucket, Key: key, UploadId: id }),
  };
};

/** UploadPart. */
export const uploadPart: Operation = async (store, request, signed) => {
  const upload = openUpload(store, request);
  const number = Number(request.query.get("partNumber"));
  if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) {
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
  }
  return storeBody(store, openBody(request, signed, upload.algorithm), async (blob, { md5, checksum }) => {
    const etag = md5.toString("hex");
    await store.commit((free) => {
      // Another request may have completed or aborted the upload while this part arrived.
      const { id } = openUpload(store, request);
      putPart(store, free, id, { ...blob, number, etag, checksum: checksum?.value });
    });
    return {
      status: 200,
      headers: { etag: `"${etag}"`, ...checksumHeaders(checksum), "x-amz-checksum-type": undefined },
    };
  });
};

/** CompleteMultipartUpload. The object takes over the files of the parts, so that nothing is copied. */
export const completeMultipartUpload: Operation = async (store, request, signed) => {
  const upload = openUpload(store, request);
  if (statedChecksum(request)) throw notImplemented("the checksum of a whole object in a multipart upload");
  const conditions = writeConditions(request);
  const chosen = await chooseParts(store, upload, request, signed);
  const checksum = compositeChecksum(upload, chosen);
  const md5 = createHash("md5");
  for (const { etag } of chosen) md5.update(Buffer.from(etag, "hex"));
  const etag = `${md5.digest("hex")}-${chosen.length}`;
  const { version } = await store.commit((free) => {
    openUpload(store, request);
    const parts = listParts(store, upload.id);
    const kept = new Set(chosen.map(({ id }) => id));
    // Another request may have replaced a part, and deleted its file, after the parts were chosen.
    if (parts.filter(({ id }) => kept.has(id)).length < chosen.length) throw invalidPart();
    const object = {
      parts: chosen.map(({ id, size }) => ({ id, size })),
      etag,
      metadata: { ...upload.metadata, checksum },
      tags: [],
    };
    const inserted = insertObject(store, free, upload.bucket, upload.key, object, conditions);
    free(parts.filter(({ id }) => !kept.has(id)));
    deleteUpload(store, upload.id);
    return inserted;
  });
  return {
    status: 200,
    headers: { "x-amz-version-id": version },
    body: renderXml("CompleteMultipartUploadResult", {
      Location: `http://${request.header("host")}${request.rawPath}`,
      Bucket: upload.bucket,
      Key: upload.key,
      ETag: `"${etag}"`,
      ...(checksum && { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }),
    }),
  };
};

/** AbortMultipartUpload. */
export const abortMultipartUpload: Operation = async (store, request) => {
  const upload = openUpload(store, request);
  await store.commit((free) => {
    free(listParts(store, upload.id));
    deleteUpload(store, upload.id);
  });
  return { status: 204 };
};

/** ListMultipartUploads, in one page. */
export const listMultipartUploads: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const prefix = request.query.get("prefix") ?? "";
  const write = encoder(request);
  return {
    status: 200,
    body: renderXml("ListMultipartUploadsResult", {
      Bucket: bucket,
      Prefix: write(prefix),
      EncodingType: request.query.get("encoding-type"),
      IsTruncated: false,
      Upload: listUploads(store, bucket)
        .filter(({ key }) => key.startsWith(prefix))
        .map(({ key, id, initiated }) => ({ Key: write(key), UploadId: id, Initiated: isoDate(initiated) })),
    }),
  };
};

/** The upload that a request names. Throws NoSuchUpload. */
function openUpload(store: Store, request: S3Request): Upload {
  const bucket = requireBucket(store, request.bucket);
  return requireUpload(store, bucket, request.key ?? "", request.query.get("uploadId") ?? "");
}

const completion = z.strictObject({
  Part: z.array(
    z.strictObject({
      PartNumber: z.coerce.number(),
      ETag: z.string(),
      ChecksumCRC32: z.string().optional(),
      ChecksumSHA1: z.string().optional(),
      ChecksumSHA256: z.string().optional(),
    }),
  ),
});

async function chooseParts(store: Store, upload: Upload, request: S3Request, signed: Signed): Promise<UploadedPart[]> {
  const { Part } = parseXml(await readDocument(request, signed), "CompleteMultipartUpload", completion);
  const uploaded = new Map(listParts(store, upload.id).map((part) => [part.number, part]));
  const chosen = Part.map(({ PartNumber, ETag, ...checksums }) => {
    const part = uploaded.get(PartNumber);
    const etag = ETag.trim().replace(/^"(.*)"$/, "$1");
    const checksum = upload.algorithm && checksums[checksumElement(upload.algorithm)];
    if (part?.etag !== etag || (checksum !== undefined && checksum !== part.checksum)) throw invalidPart();
    return part;
  });
  if (chosen.some((part, index) => index > 0 && part.number <= (chosen[index - 1]?.number ?? 0))) {
    throw new S3Error("InvalidPartOrder", "The list of parts was not in ascending order.");
  }
  const small = chosen.slice(0, -1).find(({ size }) => size < MIN_PART);
  if (small) {
    throw new S3Error(
      "EntityTooSmall",
      `Part ${small.number} has ${small.size} bytes. All but the last need ${MIN_PART}.`,
    );
  }
  return chosen;
}

function invalidPart(): S3Error {
  return new S3Error("InvalidPart", "A part does not exist, or has another ETag or checksum than the request states.");
}

function compositeChecksum({ algorithm }: Upload, parts: UploadedPart[]): Checksum | undefined {
  if (!algorithm) return undefined;
  const hasher = createHasher(algorithm);
  for (const { checksum } of parts) hasher.update(Buffer.from(checksum ?? "", "base64"));
  return { algorithm, value: `${hasher.digest().toString("base64")}-${parts.length}`, type: "COMPOSITE" };
}
