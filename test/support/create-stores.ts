import { joinStores } from "../../functions/join-stores.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import type { FileObjects } from "../../shared/files/file-store.ts";
import type { Archive } from "../../shared/session/archive.ts";
import type { Stores } from "../../shared/session/store.ts";
import { createMemoryFiles } from "./memory-files.ts";

interface Around {
  archive: Archive;
  /** The contents of files. @default in memory */
  fileObjects?: FileObjects;
  clock: Clock;
}

/** Joins the stores of sessions in one table, as the functions do. */
export function createStores(
  table: Table,
  { archive, fileObjects = createMemoryFiles().objects, clock }: Around,
): Stores {
  return joinStores(table, { archive, openObjects: async () => fileObjects, clock });
}
