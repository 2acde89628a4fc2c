import { createArchive } from "../../shared/archive/archive.s3.ts";
import { openObjects } from "../../shared/archive/objects.s3.ts";
import type { Config } from "../../shared/config.ts";
import type { Archive } from "../../shared/session/archive.ts";

/** The archive, for functions that use it whenever they run. */
export const openArchive = ({ ARCHIVE_BUCKET }: Config): Archive =>
  createArchive(async () => openObjects(ARCHIVE_BUCKET));
