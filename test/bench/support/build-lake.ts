import { createArchivedDays } from "../../../shared/archive/archived-days.s3.ts";
import { buildLake } from "../../../shared/lake/build-lake.ts";
import { createLake } from "../../../shared/lake/lake.s3.ts";
import type { ChangedDay } from "../../../shared/lake/lake.ts";
import { createPseudonyms } from "../../../shared/lake/pseudonyms.ts";
import { createS3 } from "../../../shared/s3/create-s3.ts";

// Runs the builder of the lake in a process of its own, so that its memory can be measured. Argument: the bucket. Output: a line of JSON.
const [bucket = ""] = process.argv.slice(2);
const s3 = createS3();
const archived = createArchivedDays(s3, bucket);
const due: ChangedDay[] = (await archived.days()).map((day) => ({ day, token: day, aged: false }));
const nothing = async () => undefined;
const changes = {
  mark: nothing,
  markMessages: nothing,
  findBasis: async () => null,
  setBasis: nothing,
  due: async () => due,
  settle: nothing,
};
const settings = { pseudonym: createPseudonyms("benchmark"), content: "full" as const };

const start = performance.now();
const ports = {
  archived,
  lake: createLake(s3, bucket),
  changes,
  findErasures: async () => [],
  settings,
  clock: Date.now,
};
const run = await buildLake(ports, Number.POSITIVE_INFINITY, (day, error) => console.error(day, error));
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ ...run, seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
