import { createArchive } from "../../shared/archive/archive.s3.ts";
import type { Config } from "../../shared/config.ts";
import type { Archive } from "../../shared/session/archive.ts";

/** The archive, for functions of which most calls need none: the client of S3 lies beside their bundles. */
export const openArchiveLater = ({ ARCHIVE_BUCKET }: Config): Archive =>
  createArchive(async () => (await import("../../shared/archive/objects.s3.ts")).openObjects(ARCHIVE_BUCKET));
