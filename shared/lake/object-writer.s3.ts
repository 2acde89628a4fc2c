import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

/** Bytes of a part. S3 takes 10,000 parts, so an object may grow to 78 GB. */
const PART_SIZE = 8 * 1024 * 1024;

interface Target {
  Bucket: string;
  Key: string;
  ContentType: string;
  Metadata: Record<string, string>;
}

/** Under which condition an object may be put: `IfMatch` or `IfNoneMatch`. */
type Condition = { IfMatch: string } | { IfNoneMatch: "*" };

/**
 * Writes an object whose length is not known before, holding one part of it in memory. It is there once `commit` has returned, whole;
 * until then nobody sees anything of it.
 */
export function createObjectWriter(s3: S3Client, target: Target) {
  const { Bucket, Key } = target;
  let pending: Uint8Array[] = [];
  let size = 0;
  let UploadId: string | undefined;
  const parts: { PartNumber: number; ETag: string | undefined }[] = [];

  const sendPart = async () => {
    UploadId ??= (await s3.send(new CreateMultipartUploadCommand(target))).UploadId;
    const PartNumber = parts.length + 1;
    const Body = Buffer.concat(pending);
    pending = [];
    size = 0;
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
    parts.push({ PartNumber, ETag });
  };

  return {
    async write(bytes: Uint8Array): Promise<void> {
      pending.push(bytes);
      size += bytes.length;
      if (size >= PART_SIZE) await sendPart();
    },
    /** Rejects with the SDK's 412 or 409 when the condition does not hold. */
    async commit(condition: Condition): Promise<void> {
      if (UploadId === undefined) {
        await s3.send(new PutObjectCommand({ ...target, ...condition, Body: Buffer.concat(pending) }));
        return;
      }
      if (size > 0) await sendPart();
      const MultipartUpload = { Parts: parts };
      await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload, ...condition }));
      UploadId = undefined;
    },
    async abort(): Promise<void> {
      pending = [];
      if (UploadId === undefined) return;
      await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
      UploadId = undefined;
    },
  };
}
