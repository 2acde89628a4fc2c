import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { DynamoDBBatchResponse, DynamoDBRecord } from "aws-lambda";
import { expect } from "vitest";
import yauzl from "yauzl";
import { createBuildExportJob } from "../../functions/jobs/build-export.ts";
import { latestExportKey } from "../../shared/dynamodb/keys.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import type { BuildDependencies } from "../../shared/exports/build-export.ts";
import { isSeries, MANIFEST, type Manifest, type Series } from "../../shared/exports/export-format.ts";
import { createExportObjects } from "../../shared/exports/export-objects.s3.ts";
import { createExportStore } from "../../shared/exports/export-store.dynamodb.ts";
import type { Api } from "./start-api.ts";

/** Milliseconds that a run of the job has, in total. */
const RUN = 900_000;

/** The job that builds exports, and what it makes. */
export function createExportWorld(api: Api) {
  const { engines, world } = api;
  const exports = createExportStore(world.exportTable);
  let runs = 0;
  const deps: BuildDependencies & Parameters<typeof createBuildExportJob>[0] = {
    exports,
    objects: createExportObjects(world.s3, engines.bucket),
    stores: world.stores,
    files: {
      files: world.files,
      objects: world.fileObjects,
      sessions: world.stores.sessions,
      clock: world.stores.clock,
    },
    memories: world.memories,
    events: createEventStore(createTable(engines.dynamodb, engines.metricsTable)),
    usage: async () => ({ requests: 0 }),
    settings: async (user) => {
      const { memory } = await world.persons.find(user);
      return { memory };
    },
    newId: () => `run ${runs++}`,
    clock: world.stores.clock,
  };

  /** Delivers the stream record of the user's latest export. False when that did not run any more. */
  async function deliver(user: string, job = createBuildExportJob(deps), remaining = RUN): Promise<boolean> {
    const item = await createTable(engines.dynamodb, engines.exportTable).get(latestExportKey(user));
    if (!item) return false;
    const { status } = (await exports.find(user, String(item.id))) ?? {};
    const { pk, sk } = latestExportKey(user);
    const record = {
      dynamodb: {
        Keys: { pk: { S: pk }, sk: { S: sk } },
        NewImage: { id: { S: String(item.id) } },
        SequenceNumber: "1",
      },
    } as DynamoDBRecord;
    const answer: DynamoDBBatchResponse = await job(
      { Records: [record] },
      { getRemainingTimeInMillis: () => remaining },
    );
    if (answer.batchItemFailures.length > 0) throw new Error("the job failed");
    return status === "running";
  }

  return {
    deps,
    exports,
    deliver,

    /** Exports everything of a user, in as many runs as that takes, and reads the zip. */
    async export(user = "ann", remaining?: number) {
      const { body } = await api.post("/v1/exports", undefined, { user });
      let n = 0;
      while (await deliver(user, undefined, remaining)) n++;
      return { id: body.id as string, runs: n, ...(await read(api, user, body.id)) };
    },
    read: (id: string, user = "ann") => read(api, user, id),
  };
}

/** Downloads a ready export, and checks what its answer and its manifest say of it. */
async function read(api: Api, user: string, id: string) {
  const { body } = await api.get(`/v1/exports/${id}`, { user });
  expect(body.status).toBe("ready");
  return readZip(body);
}

/** Downloads an export that `GET /v1/exports/{id}` has answered as ready. */
// biome-ignore lint/suspicious/noExplicitAny: the API tests hold the shape of answers.
export async function readZip(body: any) {
  const zip = Buffer.from(await (await fetch(body.url)).arrayBuffer());
  expect([zip.length, hashOf(zip)]).toEqual([body.bytes, body.sha256]);
  const files = await unzip(zip);
  const manifest = JSON.parse(files.get(MANIFEST)?.toString() ?? "") as Manifest;
  expect(manifest.counts).toEqual(body.counts);
  const listed = manifest.entries.map(({ path }) => path);
  expect([...files.keys()].sort()).toEqual([...listed, MANIFEST].sort());
  for (const { path, bytes, sha256 } of manifest.entries) {
    const content = files.get(path) ?? Buffer.alloc(0);
    expect([path, content.length, hashOf(content)]).toEqual([path, bytes, sha256]);
  }
  const textOf = (series: Series) =>
    [...files]
      .filter(([name]) => isSeries(name, series))
      .map(([, content]) => content.toString())
      .join("");
  const linesOf = (series: Series) =>
    textOf(series)
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { answer: body, zip, files, manifest, textOf, linesOf };
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The files of a zip by their paths. Another library reads it than the one that wrote it. */
export async function unzip(zip: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const opened = await yauzl.fromBufferPromise(zip, { validateEntrySizes: true });
  for await (const entry of opened.eachEntry()) {
    const content = Buffer.concat(await (await opened.openReadStreamPromise(entry)).toArray());
    expect([entry.fileName, crc32(content)]).toEqual([entry.fileName, entry.crc32]);
    files.set(entry.fileName, content);
  }
  return files;
}
