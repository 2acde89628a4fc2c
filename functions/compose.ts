import { executionModeStreamifyResponse } from "@middy/core/executionModeStreamifyResponse";
import { createArchive } from "../shared/archive/archive.s3.ts";
import { createArchivedDays } from "../shared/archive/archived-days.s3.ts";
import { createAuditOutbox } from "../shared/audit/audit-outbox.dynamodb.ts";
import type { FileUrls } from "../shared/chat/ui-chat.ts";
import type { Clock } from "../shared/clock.ts";
import { type Config, loadConfig } from "../shared/config.ts";
import { createDynamoDB } from "../shared/dynamodb/create-dynamodb.ts";
import { gateWrites } from "../shared/dynamodb/gate-writes.ts";
import { createTable, type Table } from "../shared/dynamodb/table.ts";
import { URL_SECONDS } from "../shared/files/file.ts";
import { createFileStore } from "../shared/files/file-store.dynamodb.ts";
import type { FileObjects } from "../shared/files/file-store.ts";
import type { FileDependencies } from "../shared/files/manage-files.ts";
import type { HttpDependencies } from "../shared/http/chain.ts";
import { createIdempotencyStore } from "../shared/idempotency/idempotency-store.dynamodb.ts";
import type { BuildPorts } from "../shared/lake/build-day.ts";
import { createChangedDays } from "../shared/lake/changed-days.dynamodb.ts";
import { createLake } from "../shared/lake/lake.s3.ts";
import type { ChangedDays } from "../shared/lake/lake.ts";
import type { FindErasures } from "../shared/lake/leave-out-erased.ts";
import { createPseudonyms } from "../shared/lake/pseudonyms.ts";
import { createRecorder } from "../shared/metrics/recorder.dynamodb.ts";
import type { Recorder } from "../shared/metrics/recorder.ts";
import { recentErasures } from "../shared/privacy/erasure.ts";
import { createErasureStore } from "../shared/privacy/erasure-store.dynamodb.ts";
import { createPersonStore } from "../shared/privacy/person.dynamodb.ts";
import { createPrivacyKey, type PrivacyKey } from "../shared/privacy/receipt.ts";
import type { ErasureDependencies } from "../shared/privacy/request-erasure.ts";
import { readSecret } from "../shared/read-secret.aws.ts";
import { setPeriods } from "../shared/retention/periods.ts";
import { createS3 } from "../shared/s3/create-s3.ts";
import type { Archive } from "../shared/session/archive.ts";
import { createSessionStore } from "../shared/session/session-store.dynamodb.ts";
import type { Stores } from "../shared/session/store.ts";
import { joinStores } from "./join-stores.ts";
import { openFileObjects } from "./s3-objects.ts";

// Joins ports and adapters for the handlers. Importing this file creates nothing, so that a bundle contains only the adapters that
// its handler opens.

/** The clock of the machine. */
export const clock: Clock = Date.now;

function openConfig(): Config {
  const config = loadConfig();
  setPeriods(config.RETENTION);
  return config;
}

/** Creates the handler at its first call, so that importing its file reads no environment and opens no client. */
export function lazyHandler<A extends unknown[], R>(create: (config: Config) => (...args: A) => R): (...args: A) => R {
  let handler: ((...args: A) => R) | undefined;
  return (...args) => {
    handler ??= create(openConfig());
    return handler(...args);
  };
}

/** Like `lazyHandler`, for a handler that streams its answer. */
export function lazyStreamHandler<A extends unknown[], R>(
  create: (config: Config, executionMode: typeof executionModeStreamifyResponse) => (...args: A) => R,
): (...args: A) => R {
  const handler = lazyHandler((config) => create(config, executionModeStreamifyResponse));
  const { awslambda } = globalThis as { awslambda?: { streamifyResponse?: <T>(handler: T) => T } };
  // streamifyResponse marks a handler as streaming for Lambda. Only Lambda's runtime has it, so in a test the handler does not
  // stream. The AWS SDK may have created the object `awslambda` without it.
  return awslambda?.streamifyResponse?.(handler) ?? handler;
}

/** One client per function instance, so that the tables share connections. */
let dynamodb: ReturnType<typeof createDynamoDB> | undefined;

function openNamedTable(name: string): Table {
  dynamodb ??= createDynamoDB();
  return createTable(dynamodb, name);
}

export function openTable(config: Config): Table {
  return gateWrites(openUngatedTable(config));
}

/**
 * The table for idempotency records, limits and the records of persons. A request writes them while it reads the person's record, so
 * that the check takes no further round trip. They hold no content.
 */
export function openUngatedTable({ CONVERSATIONS_TABLE }: Config): Table {
  return openNamedTable(CONVERSATIONS_TABLE);
}

/** The table for the notes of requests. Requests also store notes while a user is being erased. */
export function openOutboxTable({ AUDIT_OUTBOX_TABLE }: Config): Table {
  return openNamedTable(AUDIT_OUTBOX_TABLE);
}

export function openAuditTable({ AUDIT_TABLE }: Config): Table {
  return openNamedTable(AUDIT_TABLE);
}

export function openExportTable({ EXPORTS_TABLE }: Config): Table {
  return gateWrites(openNamedTable(EXPORTS_TABLE));
}

export function openMetricsTable({ METRICS_TABLE }: Config): Table {
  return gateWrites(openNamedTable(METRICS_TABLE));
}

/** One recorder per function instance: it writes the metrics of LLM, embedding and search calls with the metric of the request. */
let recorder: Recorder | undefined;

export function openRecorder(config: Config): Recorder {
  recorder ??= createRecorder(openMetricsTable(config), clock);
  return recorder;
}

/** Dependencies of every HTTP handler. */
export function openHttp(config: Config): HttpDependencies {
  return {
    clock,
    corsOrigins: config.CORS_ORIGINS,
    recorder: openRecorder(config),
    persons: createPersonStore(openUngatedTable(config)),
    audit: createAuditOutbox(openOutboxTable(config)),
  };
}

/** Dependencies of the handlers of POST operations. */
export function openIdempotentHttp(config: Config): HttpDependencies {
  return { ...openHttp(config), idempotency: createIdempotencyStore(openUngatedTable(config)) };
}

/** The archive. It loads the S3 client at its first use. */
export function openArchive({ ARCHIVE_BUCKET }: Config): Archive {
  return createArchive(async () => (await import("./s3-objects.ts")).openObjects(ARCHIVE_BUCKET));
}

/** Opens the contents of files, with the S3 client, at the first use. */
export const fileObjectsOpener =
  ({ ARCHIVE_BUCKET }: Config) =>
  async (): Promise<FileObjects> =>
    (await import("./s3-objects.ts")).openFileObjects(ARCHIVE_BUCKET);

/** Dependencies of the operations on files. */
export function openFiles({ ARCHIVE_BUCKET }: Config, table: Table): FileDependencies {
  return {
    files: createFileStore(table),
    objects: openFileObjects(ARCHIVE_BUCKET),
    sessions: createSessionStore(table),
    clock,
  };
}

/** Signs URLs of files that are named by messages. */
export function openFileUrls(config: Config, table: Table): FileUrls {
  return async (user, ids) => {
    const objects = await fileObjectsOpener(config)();
    const files = await createFileStore(table).find(user, ids, clock());
    const urls = await Promise.all(files.map((file) => objects.signDownload(file, URL_SECONDS)));
    return new Map(files.map(({ id }, n) => [id, urls[n] ?? ""]));
  };
}

/** All stores of a session. */
export function openStores(config: Config, table: Table): Stores {
  return joinStores(table, { archive: openArchive(config), openObjects: fileObjectsOpener(config), clock });
}

/** Opens the key that signs receipts of erasures. The secret is read at the first call. */
function openPrivacyKey({ PRIVACY_KEY_SECRET }: Config): () => Promise<PrivacyKey> {
  let key: PrivacyKey | undefined;
  return async () => {
    key ??= createPrivacyKey(await readSecret(PRIVACY_KEY_SECRET, "the key of the receipts"));
    return key;
  };
}

/** Dependencies of the operations on erasures. */
export function openErasures(config: Config): ErasureDependencies & { openKey(): Promise<PrivacyKey> } {
  return { erasures: createErasureStore(openUngatedTable(config)), openKey: openPrivacyKey(config), clock };
}

/** Opens the function that returns the hash of a user. The secret is read at the first call. */
export function openPseudonyms({ LAKE_KEY_SECRET }: Config): () => Promise<(user: string) => string> {
  let pseudonym: ReturnType<typeof createPseudonyms> | undefined;
  return async () => {
    pseudonym ??= createPseudonyms(await readSecret(LAKE_KEY_SECRET, "the key of the users' hashes"));
    return pseudonym;
  };
}

/** Finds erasures of the last hour. */
export function openFindErasures(config: Config): FindErasures {
  const erasures = createErasureStore(openUngatedTable(config));
  return () => recentErasures(erasures);
}

/** Dependencies of the jobs that build the lake. The secret key of the users' hashes is read at the first call. */
export function openLake(config: Config, table: Table): () => Promise<BuildPorts & { changes: ChangedDays }> {
  const s3 = createS3();
  const pseudonyms = openPseudonyms(config);
  return async () => ({
    archived: createArchivedDays(s3, config.ARCHIVE_BUCKET),
    lake: createLake(s3, config.ARCHIVE_BUCKET),
    changes: createChangedDays(table),
    findErasures: openFindErasures(config),
    settings: { pseudonym: await pseudonyms(), content: config.LAKE_CONTENT },
  });
}
