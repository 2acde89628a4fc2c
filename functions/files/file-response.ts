import { toInstant } from "../../shared/clock.ts";
import { type FileRecord, URL_SECONDS } from "../../shared/files/file.ts";
import type { FileDependencies } from "../../shared/files/manage-files.ts";

/** Returns a file as the API shows it. It has a download URL when the content is stored. */
export async function fileResponse({ objects, clock }: Pick<FileDependencies, "objects" | "clock">, file: FileRecord) {
  const { id, filename, media_type, bytes, status, created_at } = file;
  const link =
    status === "ready"
      ? { url: await objects.signDownload(file, URL_SECONDS), url_expires_at: toInstant(clock() + URL_SECONDS * 1000) }
      : { url: null, url_expires_at: null };
  return { id, filename, media_type, bytes, status, created_at, ...link };
}
