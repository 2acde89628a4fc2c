import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { userPart } from "../archive/user-part.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import { statusOf, translate } from "../s3/translate.ts";
import { attachmentOf, type FileRecord, servedType } from "./file.ts";
import type { FileObjects } from "./file-store.ts";

/** Stores the content of files as objects `files/<user>/<file>` in a bucket. */
export function createFileObjects(s3: S3Client, Bucket: string): FileObjects {
  const at = ({ user_id, id }: Pick<FileRecord, "user_id" | "id">) => ({
    Bucket,
    Key: `${retention.file.place.object}${userPart(user_id)}/${id}`,
  });
  const call = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer;
    } catch (error) {
      if (statusOf(error) === 404)
        throw new AppError("not_found", "the content of the file no longer exists", { cause: error });
      throw translate(error, "file store");
    }
  };
  const contentOf = (file: FileRecord) => ({
    ...at(file),
    ContentType: file.media_type,
    ContentLength: file.bytes,
    ...(file.sha256 ? { ChecksumSHA256: Buffer.from(file.sha256, "hex").toString("base64") } : {}),
  });

  return {
    async signUpload(file, seconds) {
      const url = await getSignedUrl(
        s3,
        // With IfNoneMatch, a client cannot use the URL to replace the content later.
        new PutObjectCommand({ ...contentOf(file), IfNoneMatch: "*" }),
        {
          expiresIn: seconds,
          signableHeaders: new Set(["content-type"]),
          // S3 checks the checksum only when it is a header.
          unhoistableHeaders: new Set(["x-amz-checksum-sha256"]),
        },
      );
      const { ChecksumSHA256 } = contentOf(file);
      const headers = {
        "content-type": file.media_type,
        "if-none-match": "*",
        ...(ChecksumSHA256 ? { "x-amz-checksum-sha256": ChecksumSHA256 } : {}),
      };
      return { method: "PUT", url, headers };
    },

    signDownload: (file, seconds) =>
      getSignedUrl(
        s3,
        new GetObjectCommand({
          ...at(file),
          ResponseContentDisposition: attachmentOf(file),
          ResponseContentType: servedType(file),
        }),
        { expiresIn: seconds },
      ),

    async has(file) {
      try {
        await s3.send(new HeadObjectCommand(at(file)));
        return true;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw translate(error, "file store");
      }
    },

    async put(file, content) {
      await call(s3.send(new PutObjectCommand({ ...contentOf(file), Body: content })));
    },

    async read(file) {
      const { Body } = await call(s3.send(new GetObjectCommand(at(file))));
      return call((Body as NonNullable<typeof Body>).transformToByteArray());
    },

    async remove(file) {
      await call(s3.send(new DeleteObjectCommand(at(file))));
    },
  };
}
