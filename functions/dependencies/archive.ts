import { createArchive } from "../../shared/archive/archive.s3.ts";
import type { Archive } from "../../shared/archive/archive.ts";
import type { Config } from "../../shared/config.ts";
import { createS3 } from "../../shared/s3/client.ts";

export const openArchive = ({ ARCHIVE_BUCKET }: Config): Archive => createArchive(createS3(), ARCHIVE_BUCKET);
