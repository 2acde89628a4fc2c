import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import { createArchivedDays } from "../../shared/lake/archived-days.s3.ts";
import type { BuildPorts } from "../../shared/lake/build-day.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import { readLakeKey } from "../../shared/lake/key.aws.ts";
import { createLake } from "../../shared/lake/lake.s3.ts";
import type { ChangedDays } from "../../shared/lake/lake.ts";
import { createPseudonyms } from "../../shared/lake/pseudonym.ts";
import { createS3 } from "../../shared/s3/client.ts";

/** What the builder of the lake needs. The key of the users' hashes is fetched when it is first asked for, and kept. */
export function openLake(config: Config, table: Table): () => Promise<BuildPorts & { changes: ChangedDays }> {
  const s3 = createS3();
  const ports = {
    archived: createArchivedDays(s3, config.ARCHIVE_BUCKET),
    lake: createLake(s3, config.ARCHIVE_BUCKET),
    changes: createChangedDays(table),
  };
  let key: string | undefined;
  return async () => {
    key ??= await readLakeKey(config.LAKE_KEY_SECRET);
    return {
      ...ports,
      settings: { pseudonym: createPseudonyms(key), content: config.LAKE_CONTENT },
    };
  };
}
