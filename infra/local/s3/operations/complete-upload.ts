import { createHash } from "node:crypto";
import { readDocument } from "../body.ts";
import { requireBucket } from "../buckets.ts";
import { type Checksum, checksumElement, checksumHeader, createHasher } from "../checksum.ts";
import { writeConditions } from "../conditions.ts";
import { S3Error } from "../error.ts";
import { insertObject } from "../objects.ts";
import type { Operation } from "../operation.ts";
import type { S3Request } from "../request.ts";
import type { Signed } from "../signature.ts";
import type { Store } from "../store.ts";
import { deleteUpload, listParts, requireUpload, type Upload, type UploadedPart } from "../uploads.ts";
import { parseXml, renderXml, type XmlElement } from "../xml.ts";
import { openUpload } from "./multipart.ts";

/** Least size of every part but the last: 5 MiB. */
const MIN_PART = 5 * 1024 * 1024;

/** CompleteMultipartUpload: the object takes over the files of the parts, so nothing is copied. */
export const completeMultipartUpload: Operation = async (store, request, signed) => {
  const upload = openUpload(store, request);
  const conditions = writeConditions(request);
  const chosen = await choosePartsOf(store, upload, request, signed);
  const checksum = await checksumOf(store, upload, chosen);
  checkStatement(request, chosen, checksum);
  const md5 = createHash("md5");
  for (const { etag } of chosen) md5.update(Buffer.from(etag, "hex"));
  const etag = `${md5.digest("hex")}-${chosen.length}`;
  const { version } = await store.commit((free) => {
    requireUpload(store, requireBucket(store, upload.bucket), upload.key, upload.id);
    const parts = listParts(store, upload.id);
    const kept = new Set(chosen.map(({ id }) => id));
    // A part that was uploaded again since it was chosen took its file with it.
    if (parts.filter(({ id }) => kept.has(id)).length < chosen.length) throw invalidPart();
    const object = {
      parts: chosen.map(({ id, size, checksum: value }) => (value ? { id, size, checksum: value } : { id, size })),
      etag,
      storageClass: upload.storageClass,
      metadata: { ...upload.metadata, checksum, multipart: true },
      tags: upload.tags,
    };
    const inserted = insertObject(store, free, upload.bucket, upload.key, object, conditions);
    free(parts.filter(({ id }) => !kept.has(id)));
    deleteUpload(store, upload.id);
    return inserted;
  });
  return {
    status: 200,
    headers: { "x-amz-version-id": version },
    body: renderXml("CompleteMultipartUploadResult", [
      ["Location", `http://${request.header("host")}${request.rawPath}`],
      ["Bucket", upload.bucket],
      ["Key", upload.key],
      ["ETag", `"${etag}"`],
      ...(checksum
        ? [[checksumElement(checksum.algorithm), checksum.value] as const, ["ChecksumType", checksum.type] as const]
        : []),
    ]),
  };
};

async function choosePartsOf(
  store: Store,
  upload: Upload,
  request: S3Request,
  signed: Signed,
): Promise<UploadedPart[]> {
  const document = parseXml(
    await readDocument(request, signed, { unrelatedChecksum: true }),
    "CompleteMultipartUpload",
  );
  const uploaded = new Map(listParts(store, upload.id).map((part) => [part.number, part]));
  const named = document.all("Part");
  if (named.length === 0) throw new S3Error("MalformedXML", "You must specify at least one part");
  const chosen = named.map((element) => choosePart(uploaded, element, upload));
  if (chosen.some((part, index) => index > 0 && part.number <= (chosen[index - 1]?.number ?? 0))) {
    throw new S3Error("InvalidPartOrder", "The list of parts was not in ascending order.");
  }
  const small = chosen.slice(0, -1).find(({ size }) => size < MIN_PART);
  if (small) {
    throw new S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {
      elements: {
        PartNumber: String(small.number),
        ProposedSize: String(small.size),
        MinSizeAllowed: String(MIN_PART),
      },
    });
  }
  return chosen;
}

function choosePart(uploaded: Map<number, UploadedPart>, element: XmlElement, { algorithm }: Upload): UploadedPart {
  const part = uploaded.get(Number(element.text("PartNumber")));
  const etag = element
    .text("ETag")
    ?.trim()
    .replace(/^"(.*)"$/, "$1");
  const checksum = algorithm && element.text(checksumElement(algorithm));
  if (!part || part.etag !== etag || (checksum !== undefined && checksum !== part.checksum)) throw invalidPart();
  return part;
}

function invalidPart(): S3Error {
  return new S3Error(
    "InvalidPart",
    "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag or checksum might not have matched the part's.",
  );
}

async function checksumOf(store: Store, upload: Upload, parts: UploadedPart[]): Promise<Checksum | undefined> {
  const { algorithm, checksumType } = upload;
  if (!algorithm || !checksumType) return undefined;
  const hasher = createHasher(algorithm);
  if (checksumType === "COMPOSITE") {
    for (const { checksum } of parts) hasher.update(Buffer.from(checksum ?? "", "base64"));
    const value = Buffer.from(await hasher.digest()).toString("base64");
    return { algorithm, value: `${value}-${parts.length}`, type: checksumType };
  }
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const content = await store.blobs.read(parts, { from: 0, to: size });
  if (Buffer.isBuffer(content)) hasher.update(content);
  else for await (const data of content) hasher.update(data);
  return { algorithm, value: Buffer.from(await hasher.digest()).toString("base64"), type: checksumType };
}

function checkStatement(request: S3Request, parts: UploadedPart[], checksum: Checksum | undefined): void {
  const size = request.header("x-amz-mp-object-size");
  if (size !== undefined && Number(size) !== parts.reduce((sum, part) => sum + part.size, 0)) {
    throw new S3Error("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.");
  }
  if (!checksum) return;
  const stated = request.header(checksumHeader(checksum.algorithm));
  if (stated !== undefined && ![checksum.value, checksum.value.replace(/-\d+$/, "")].includes(stated)) {
    throw new S3Error("BadDigest", `The ${checksum.algorithm} you specified did not match the calculated checksum.`);
  }
}
