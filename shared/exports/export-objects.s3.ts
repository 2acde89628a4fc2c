import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { userPart } from "../archive/user-part.ts";
import { retention } from "../retention/policy.ts";
import { createS3 } from "../s3/create-s3.ts";
import { statusOf, translate } from "../s3/translate.ts";
import type { ExportObjects, ExportPlace } from "./build-export.ts";

export function openExportObjects(bucket: string): ExportObjects {
  return createExportObjects(createS3(), bucket);
}

/** Stores exports as objects `exports/<user>/<id>.zip`, and the progress of a running job as `exports/<user>/<id>.progress.json`. */
export function createExportObjects(s3: S3Client, Bucket: string): ExportObjects {
  const at = (place: ExportPlace, suffix: string) => ({
    Bucket,
    Key: `${retention.export.place.object}${userPart(place.user_id)}/${place.id}${suffix}`,
  });
  const zip = (place: ExportPlace) => at(place, ".zip");
  const progress = (place: ExportPlace) => at(place, ".progress.json");

  /** Waits for an answer. Returns `undefined` for an error with one of the statuses in `expected`. */
  async function call<T>(answer: Promise<T>, ...expected: number[]): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (expected.includes(statusOf(error) ?? 0)) return undefined;
      throw translate(error, "store of exports");
    }
  }

  return {
    async readProgress(place) {
      const found = await call(s3.send(new GetObjectCommand(progress(place))), 404);
      if (!found) return null;
      const text = (await call((found.Body as NonNullable<typeof found.Body>).transformToString())) ?? "";
      return { progress: JSON.parse(text), etag: found.ETag ?? "" };
    },

    async writeProgress(place, value, etag) {
      const condition = etag === null ? { IfNoneMatch: "*" } : { IfMatch: etag };
      const Body = JSON.stringify(value);
      const command = new PutObjectCommand({ ...progress(place), ...condition, Body, ContentType: "application/json" });
      // 404: the progress was deleted. 409: another write of the same object is under way. 412: the ETag is another one.
      const written = await call(s3.send(command), 404, 409, 412);
      return written?.ETag ?? null;
    },

    async beginUpload(place) {
      const begun = await call(
        s3.send(new CreateMultipartUploadCommand({ ...zip(place), ContentType: "application/zip" })),
      );
      return begun?.UploadId ?? "";
    },

    async putPart(place, UploadId, PartNumber, Body) {
      const stored = await call(s3.send(new UploadPartCommand({ ...zip(place), UploadId, PartNumber, Body })));
      return stored?.ETag ?? "";
    },

    async completeUpload(place, UploadId, etags) {
      const Parts = etags.map((ETag, n) => ({ ETag, PartNumber: n + 1 }));
      const command = new CompleteMultipartUploadCommand({ ...zip(place), UploadId, MultipartUpload: { Parts } });
      // 404: the upload was completed or aborted. 400: another run has replaced a part.
      const completed = await call(s3.send(command), 400, 404);
      return completed !== undefined || (await call(s3.send(new HeadObjectCommand(zip(place))), 404)) !== undefined;
    },

    async abortUpload(place, UploadId) {
      await call(s3.send(new AbortMultipartUploadCommand({ ...zip(place), UploadId })), 404);
    },

    async removeProgress(place) {
      await call(s3.send(new DeleteObjectCommand(progress(place))));
    },

    async removeZip(place) {
      await call(s3.send(new DeleteObjectCommand(zip(place))));
    },

    sign: (place, filename, seconds) =>
      getSignedUrl(
        s3,
        new GetObjectCommand({ ...zip(place), ResponseContentDisposition: `attachment; filename="${filename}"` }),
        { expiresIn: seconds },
      ),
  };
}
