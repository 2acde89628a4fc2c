import { readAttributes } from "../attributes.ts";
import { openBody } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import { type Checksum, type ChecksumAlgorithm, checksumElement, checksumHeaders, readAlgorithm } from "../checksum.ts";
import { openCopy, readCopySource } from "../copy-source.ts";
import type { Body } from "../digest.ts";
import { notImplemented, S3Error } from "../error.ts";
import type { Operation } from "../operation.ts";
import { readRange } from "../range.ts";
import type { S3Request } from "../request.ts";
import type { Store } from "../store.ts";
import { createUpload, deleteUpload, listParts as partsOf, putPart, requireUpload, type Upload } from "../uploads.ts";
import { renderXml, type XmlChild } from "../xml.ts";
import { isoDate, owner, readMax } from "./list-objects.ts";
import { storeBody } from "./put-object.ts";

const MAX_PART_NUMBER = 10_000;

/** CreateMultipartUpload. */
export const createMultipartUpload: Operation = async (store, request) => {
  const bucket = requireBucket(store, request.bucket);
  const key = request.key ?? "";
  const asked = request.header("x-amz-checksum-algorithm");
  const algorithm = asked ? readAlgorithm(asked) : undefined;
  const checksumType = algorithm && readChecksumType(request, algorithm);
  const id = await createUpload(store, { ...readAttributes(request), bucket, key, algorithm, checksumType });
  return {
    status: 200,
    headers: { "x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": checksumType },
    body: renderXml("InitiateMultipartUploadResult", [
      ["Bucket", bucket],
      ["Key", key],
      ["UploadId", id],
    ]),
  };
};

/** UploadPart. */
export const uploadPart: Operation = async (store, request, signed) => {
  const upload = openUpload(store, request);
  const { etag, checksum } = await storePart(
    store,
    request,
    openBody(request, signed, { algorithm: upload.algorithm }),
  );
  return {
    status: 200,
    headers: { etag: `"${etag}"`, ...checksumHeaders(checksum), "x-amz-checksum-type": undefined },
  };
};

/** UploadPartCopy. */
export const uploadPartCopy: Operation = async (store, request) => {
  const upload = openUpload(store, request);
  const { object, version } = readCopySource(store, request);
  const range = request.header("x-amz-copy-source-range");
  const span = readRange(range, object.size);
  if (range !== undefined && !span) {
    throw new S3Error("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last");
  }
  const body = await openCopy(store, object, span ?? { from: 0, to: object.size }, upload.algorithm);
  const { etag, checksum } = await storePart(store, request, body);
  return {
    status: 200,
    headers: { "x-amz-copy-source-version-id": version },
    body: renderXml("CopyPartResult", [
      ["ETag", `"${etag}"`],
      ["LastModified", isoDate(store.now())],
      ...(checksum ? [[checksumElement(checksum.algorithm), checksum.value] as const] : []),
    ]),
  };
};

/** AbortMultipartUpload. */
export const abortMultipartUpload: Operation = async (store, request) => {
  const upload = openUpload(store, request);
  await store.commit((free) => {
    free(partsOf(store, upload.id));
    deleteUpload(store, upload.id);
  });
  return { status: 204 };
};

/** ListParts. */
export const listParts: Operation = async (store, request) => {
  const upload = openUpload(store, request);
  const max = readMax(request, "max-parts");
  const marker = Number(request.query.get("part-number-marker") ?? 0);
  const rest = partsOf(store, upload.id).filter(({ number }) => number > marker);
  const page = rest.slice(0, max);
  const { algorithm } = upload;
  return {
    status: 200,
    body: renderXml("ListPartsResult", [
      ["Bucket", upload.bucket],
      ["Key", upload.key],
      ["UploadId", upload.id],
      ["PartNumberMarker", marker],
      ["NextPartNumberMarker", page.at(-1)?.number ?? marker],
      ["MaxParts", max],
      ["IsTruncated", page.length > 0 && page.length < rest.length],
      owner,
      ["StorageClass", upload.storageClass],
      ["ChecksumAlgorithm", algorithm],
      ["ChecksumType", upload.checksumType],
      ...page.map(
        (part): XmlChild => [
          "Part",
          [
            ["PartNumber", part.number],
            ["LastModified", isoDate(part.modified)],
            ["ETag", `"${part.etag}"`],
            ["Size", part.size],
            ...(algorithm ? [[checksumElement(algorithm), part.checksum] as const] : []),
          ],
        ],
      ),
    ]),
  };
};

/** The upload that a request names. Throws NoSuchUpload. */
export function openUpload(store: Store, request: S3Request): Upload {
  const bucket = requireBucket(store, request.bucket);
  return requireUpload(store, bucket, request.key ?? "", request.query.get("uploadId") ?? "");
}

async function storePart(
  store: Store,
  request: S3Request,
  body: Body,
): Promise<{ etag: string; checksum: Checksum | undefined }> {
  const number = Number(request.query.get("partNumber"));
  if (!Number.isInteger(number) || number < 1 || number > MAX_PART_NUMBER) {
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
  }
  return storeBody(store, body, async (blob, { md5, checksum }) => {
    const etag = md5.toString("hex");
    await store.commit((free) => {
      // The upload may have been completed or aborted while the part came in.
      const { id } = openUpload(store, request);
      putPart(store, free, id, { ...blob, number, etag, checksum: checksum?.value });
    });
    return { etag, checksum };
  });
}

function readChecksumType(request: S3Request, algorithm: ChecksumAlgorithm): Checksum["type"] {
  const linear = algorithm.startsWith("CRC");
  const type = request.header("x-amz-checksum-type") ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
  if (type === "COMPOSITE" && algorithm !== "CRC64NVME") return type;
  if (type === "FULL_OBJECT" && linear) return type;
  if (type !== "COMPOSITE" && type !== "FULL_OBJECT") throw notImplemented(`x-amz-checksum-type: ${type}`);
  throw new S3Error(
    "InvalidRequest",
    `The ${type} checksum type cannot be used with the ${algorithm} checksum algorithm.`,
  );
}
