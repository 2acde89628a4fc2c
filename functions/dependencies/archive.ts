import { createArchive } from "../../shared/archive/archive.s3.ts";
import type { Config } from "../../shared/config.ts";
import { createS3 } from "../../shared/s3/client.ts";
import type { Archive } from "../../shared/session/archive.ts";

export const openArchive = ({ ARCHIVE_BUCKET }: Config): Archive => createArchive(createS3(), ARCHIVE_BUCKET);
