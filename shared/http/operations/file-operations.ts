import * as z from "zod";
import { isFilename, MAX_FILE_BYTES, MEDIA_TYPE } from "../../files/file.ts";
import type { Operation } from "./operation.ts";
import { page, pageQuery } from "./parameters.ts";

const idSchema = z.uuid();

const filenameSchema = z
  .string()
  .refine(isFilename, "must have 1 to 255 characters and no control characters")
  .meta({ example: "notes.pdf" });

const mediaTypeSchema = z
  .string()
  .toLowerCase()
  .regex(MEDIA_TYPE, "must be a media type like image/png")
  .meta({ example: "application/pdf" });

const bytesSchema = z.int().min(1).max(MAX_FILE_BYTES, `must be at most ${MAX_FILE_BYTES} bytes`);

const fileInputSchema = z
  .strictObject({
    id: z.uuidv7().optional().meta({
      description:
        "Stores a file again under its earlier id, for imports. Needs `sha256`. A repeat returns the same file. `created_at` is the time in the id.",
    }),
    filename: filenameSchema,
    media_type: mediaTypeSchema,
    bytes: bytesSchema.meta({ description: "The exact size. An upload of another size is refused." }),
    sha256: z
      .string()
      .toLowerCase()
      .regex(/^[0-9a-f]{64}$/, "must be a SHA-256 hash in hex")
      .optional()
      .meta({ description: "The SHA-256 of the content, in hex. An upload with another hash is refused." }),
  })
  .refine(({ id, sha256 }) => id === undefined || sha256 !== undefined, {
    path: ["sha256"],
    message: "is missing: a file with an id needs it",
  })
  .meta({ id: "FileCreate" });

const uploadSchema = z
  .object({
    id: idSchema,
    upload: z.object({
      method: z.literal("PUT"),
      url: z.url(),
      headers: z.record(z.string(), z.string()).meta({ description: "The upload must have these headers." }),
      expires_at: z.iso.datetime(),
    }),
  })
  .meta({
    id: "FileUpload",
    description: "Send the content to `upload.url`. A file that no message names is deleted after a day.",
  });

const fileSchema = z
  .object({
    id: idSchema,
    filename: z.string(),
    media_type: z.string(),
    bytes: z.int(),
    status: z.enum(["uploading", "ready"]),
    created_at: z.iso.datetime(),
    url: z
      .url()
      .nullable()
      .meta({ description: "Serves the content as a download. `null` while the file is uploading." }),
    url_expires_at: z.iso.datetime().nullable(),
  })
  .meta({ id: "File" });

const params = z.object({ id: idSchema });

export const fileOperations = {
  createFile: {
    method: "POST",
    path: "/v1/files",
    access: "user",
    summary: "Create a file, and get the URL to upload its content to",
    body: fileInputSchema,
    answers: { 201: uploadSchema },
    refusals: { 404: "The file was deleted since the first request with this Idempotency-Key." },
  },
  listFiles: {
    method: "GET",
    path: "/v1/files",
    access: "user",
    summary: "List files, the newest first",
    query: z.object(pageQuery),
    answers: { 200: page(fileSchema) },
  },
  getFile: {
    method: "GET",
    path: "/v1/files/{id}",
    access: "user",
    summary: "Read a file's state, and get the URL to download its content from",
    params,
    answers: { 200: fileSchema },
  },
  deleteFile: {
    method: "DELETE",
    path: "/v1/files/{id}",
    access: "user",
    audited: "file.delete",
    summary: "Delete a file; messages that name it stay",
    params,
    answers: { 204: null },
  },
} as const satisfies Record<string, Operation>;
