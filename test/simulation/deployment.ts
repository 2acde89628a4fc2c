/** The product's functions, put together for one instance as `functions/dependencies` does, with the stores of the simulated world. */

import type { Readable } from "node:stream";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import { createCleanupSessions } from "../../functions/admin/cleanup-sessions.ts";
import { createChat } from "../../functions/chat/chat.ts";
import { createCompletions } from "../../functions/chat/completions.ts";
import { createFollowChat } from "../../functions/chat/follow.ts";
import { createStopChat } from "../../functions/chat/stop.ts";
import { createCreateErasure } from "../../functions/erasures/create.ts";
import { createGetErasure } from "../../functions/erasures/get.ts";
import { createCreateExport } from "../../functions/exports/create.ts";
import { createGetExport } from "../../functions/exports/get.ts";
import { createArchiveJob } from "../../functions/jobs/archive.ts";
import { createAuditJob } from "../../functions/jobs/audit.ts";
import { createBuildExportJob } from "../../functions/jobs/build-export.ts";
import { createEraseJob } from "../../functions/jobs/erase.ts";
import { createReconcileJob } from "../../functions/jobs/reconcile.ts";
import { createRememberJob } from "../../functions/jobs/remember.ts";
import { createDeleteMemory } from "../../functions/memories/delete.ts";
import { createDeleteMemories } from "../../functions/memories/delete-all.ts";
import { createListMemories } from "../../functions/memories/list.ts";
import { createSearchMemories } from "../../functions/memories/search.ts";
import { createAppendMessages } from "../../functions/messages/append.ts";
import { createDeleteMessage } from "../../functions/messages/delete.ts";
import { createListMessages } from "../../functions/messages/list.ts";
import { createCreateSession } from "../../functions/sessions/create.ts";
import { createDeleteSession } from "../../functions/sessions/delete.ts";
import { createGetSession } from "../../functions/sessions/get.ts";
import { createListSessions } from "../../functions/sessions/list.ts";
import { createPatchSession } from "../../functions/sessions/patch.ts";
import { createResetSession } from "../../functions/sessions/reset.ts";
import { createRestoreSession } from "../../functions/sessions/restore.ts";
import { createPatchSettings } from "../../functions/settings/patch.ts";
import { createArchive } from "../../shared/archive/archive.s3.ts";
import { createAuditOutbox, createOutboxReader } from "../../shared/audit/audit-outbox.dynamodb.ts";
import { createAuditStore } from "../../shared/audit/audit-store.dynamodb.ts";
import { createTurnStore } from "../../shared/chat/turn-store.dynamodb.ts";
import { gateWrites } from "../../shared/dynamodb/gate-writes.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { createEventStore } from "../../shared/events/event-store.dynamodb.ts";
import { createExportStore } from "../../shared/exports/export-store.dynamodb.ts";
import { createFileStore } from "../../shared/files/file-store.dynamodb.ts";
import type { HttpHandler } from "../../shared/http/chain.ts";
import { type Operation, type OperationId, operations } from "../../shared/http/operations.ts";
import { createIdempotencyStore } from "../../shared/idempotency/idempotency-store.dynamodb.ts";
import { buildLake } from "../../shared/lake/build-lake.ts";
import { createChangedDays } from "../../shared/lake/changed-days.dynamodb.ts";
import { createLimits } from "../../shared/limits/limits.dynamodb.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../shared/memory/embedder.lexical.ts";
import { createMemoryStore } from "../../shared/memory/memory-store.dynamodb.ts";
import { createSearch } from "../../shared/memory/recall.ts";
import { fold } from "../../shared/metrics/fold.ts";
import { createMetricStore } from "../../shared/metrics/metric-store.dynamodb.ts";
import { createRecorder } from "../../shared/metrics/recorder.dynamodb.ts";
import type { Granularity } from "../../shared/metrics/window.ts";
import { createItemErasers } from "../../shared/privacy/erase-items.dynamodb.ts";
import { createObjectErasers, eraseUploads } from "../../shared/privacy/erase-objects.s3.ts";
import { createSessionEraser } from "../../shared/privacy/erase-sessions.dynamodb.ts";
import { recentErasures } from "../../shared/privacy/erasure.ts";
import { createErasureStore } from "../../shared/privacy/erasure-store.dynamodb.ts";
import { createPersonStore } from "../../shared/privacy/person.dynamodb.ts";
import { createPrivacyKey } from "../../shared/privacy/receipt.ts";
import { buildReport } from "../../shared/reports/build-report.ts";
import { createStores } from "../support/create-stores.ts";
import { archivedDaysOf, type Bucket, filesOf, lakeOf, objectsOf } from "./bucket.ts";
import { exportObjectsOf, lakeEraserOf, versionsOf } from "./bucket-exports.ts";
import { createFakeModel } from "./fake-model.ts";
import type { Instance } from "./instance.ts";
import { AUDIT, CONVERSATIONS, clientOf, EXPORTS, METRICS, OUTBOX, VECTORS, type World } from "./world.ts";

const SPACE = { model: LEXICAL_MODEL, dimensions: VECTORS.dimensions };

/** Milliseconds that API Gateway gives a request, and Lambda a job. */
const REQUEST_TIME = 29_000;
const JOB_TIME = 300_000;

/** Milliseconds after which no request that began before an erasure writes. Simulated instances stall for longer than Lambda lets them. */
export const GRACE = 3 * 3_600_000;

const privacyKey = createPrivacyKey("a secret");

const PLANS = { free: { requests_per_minute: 0, tokens_per_day: 60_000 } };

export interface ApiRequest {
  operation: OperationId;
  user: string;
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
  key?: string | undefined;
  request_id?: string;
}

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape are looked into.
  body: any;
}

export function deploy(world: World, instance: Instance) {
  const { clock } = instance;
  const bucket: Bucket = world.bucket;
  const client = clientOf(world, instance);
  const ungated = createTable(client, CONVERSATIONS);
  const table = gateWrites(ungated);
  const metricsTable = gateWrites(createTable(client, METRICS));
  const exportTable = gateWrites(createTable(client, EXPORTS));
  const outbox = createTable(client, OUTBOX);
  const archive = createArchive(async () => objectsOf(bucket, instance, world.timeline.now));
  const memories = createMemoryStore(table, clock);
  const stores = createStores(table, {
    archive,
    fileObjects: filesOf(bucket, instance),
    clock,
  });
  const recorder = createRecorder(metricsTable, clock);
  const persons = createPersonStore(ungated);
  const http = { clock, corsOrigins: [], recorder, persons, audit: createAuditOutbox(outbox) };
  const posts = { ...http, ...stores, idempotency: createIdempotencyStore(ungated) };
  const erasing = { erasures: createErasureStore(ungated), openKey: async () => privacyKey, clock };
  const exporting = { exports: createExportStore(exportTable), objects: exportObjectsOf(bucket, instance) };
  const fileStore = createFileStore(table);
  const remembering = {
    memories,
    embedderOf: () => createLexicalEmbedder(SPACE.dimensions),
    firstLayout: { slot: VECTORS.slot, space: SPACE },
    clock,
  };
  const limits = createLimits(ungated);
  const changes = createChangedDays(table);
  const metrics = createMetricStore(metricsTable);
  const context = { getRemainingTimeInMillis: () => JOB_TIME };

  const chat = () => ({
    ...posts,
    turns: createTurnStore(table),
    limits,
    plans: PLANS,
    model: createFakeModel(world.timeline, instance),
    isOffered: () => true,
    isKnown: () => true,
    specOf: () => ({ context: 8192, input: 1, output: 2 }),
    recall: createSearch(remembering),
    settings: {
      model: "fake",
      systemPrompt: "Be brief.",
      maxMessages: 10,
      maxContextTokens: 2000,
      maxOutputTokens: 200,
      firstTokenTimeout: 10_000,
      totalTimeout: 20_000,
      sessionTtlSeconds: 60,
    },
  });
  const handlers: Partial<Record<OperationId, () => HttpHandler>> = {
    createSession: () => createCreateSession({ ...posts, defaultTtlSeconds: 60 }),
    listSessions: () => createListSessions({ ...http, ...stores }),
    getSession: () => createGetSession({ ...http, ...stores }),
    patchSession: () => createPatchSession({ ...http, ...stores }),
    deleteSession: () => createDeleteSession({ ...http, ...stores }),
    resetSession: () => createResetSession(posts),
    restoreSession: () => createRestoreSession(posts),
    listMessages: () => createListMessages({ ...http, ...stores }),
    appendMessages: () => createAppendMessages(posts),
    deleteMessage: () => createDeleteMessage({ ...http, ...stores }),
    cleanupSessions: () => createCleanupSessions(posts),
    searchMemories: () => createSearchMemories({ ...posts, memories, recall: createSearch(remembering) }),
    listMemories: () => createListMemories({ ...http, memories }),
    deleteMemory: () => createDeleteMemory({ ...http, memories }),
    deleteMemories: () => createDeleteMemories({ ...http, memories }),
    createExport: () => createCreateExport({ ...posts, ...exporting }),
    getExport: () => createGetExport({ ...http, ...exporting }),
    createErasure: () => createCreateErasure({ ...posts, ...erasing }),
    getErasure: () => createGetErasure({ ...http, ...erasing }),
    patchSettings: () => createPatchSettings({ ...http, choices: persons }),
    chat: () => createChat(chat()),
    followChat: () => createFollowChat({ ...posts, turns: createTurnStore(table) }),
    stopChat: () => createStopChat({ ...posts, turns: createTurnStore(table) }),
    createCompletion: () => createCompletions(chat()),
  };

  return {
    stores,
    memories,
    /** Serves a request of the API. */
    async serve(request: ApiRequest): Promise<Reply> {
      const handler = handlers[request.operation]?.();
      if (!handler) throw new Error(`the operation is not deployed: ${request.operation}`);
      const remaining = world.timeline.now() + REQUEST_TIME;
      const getRemainingTimeInMillis = () => remaining - world.timeline.now();
      const answer = await handler(eventOf(request, clock()), { getRemainingTimeInMillis } as Context);
      const text = await textOf(answer);
      if (text.startsWith("data: ")) return readStream(text);
      return { status: answer.statusCode, body: text ? JSON.parse(text) : undefined };
    },
    archiveJob: createArchiveJob(stores, changes, recorder),
    rememberJob: createRememberJob({ ...remembering, stores }),
    exportJob: createBuildExportJob({
      ...exporting,
      stores,
      files: { files: fileStore, objects: filesOf(bucket, instance), sessions: stores.sessions, clock },
      memories,
      events: createEventStore(metricsTable),
      usage: async (user) => limits.usage(user, clock()),
      settings: (user) => persons.find(user),
      newId: () => instance.name,
      clock,
    }),
    auditJob: createAuditJob(async () => ({
      audit: createAuditStore(createTable(client, AUDIT)),
      outbox: createOutboxReader(outbox),
      pseudonym: (user) => user,
      clock,
    })),
    erase: () =>
      createEraseJob(async () => ({
        ...erasing,
        erasersOf: (user) => [
          createSessionEraser(table, stores, user),
          ...createItemErasers(table, metricsTable, exportTable, user),
          ...createObjectErasers(versionsOf(bucket, instance), user),
          lakeEraserOf(bucket, instance, user),
        ],
        eraseUploads: (user) => eraseUploads(versionsOf(bucket, instance), fileStore, user, clock()),
        newId: () => instance.name,
        grace: GRACE,
      }))({}, context),
    reconcile: () => createReconcileJob(stores)({}, context),
    buildLake: () =>
      buildLake(
        {
          archived: archivedDaysOf(bucket, instance),
          lake: lakeOf(bucket, instance),
          changes,
          findErasures: () => recentErasures(erasing.erasures),
          settings: { pseudonym: (user) => user, content: "full" },
          clock,
        },
        clock() + JOB_TIME,
        () => undefined,
      ),
    fold: (granularity: Granularity) => fold({ store: metrics, clock }, granularity, { deadline: clock() + JOB_TIME }),
    usage: (user: string, now: number) => limits.usage(user, now),
    report: (month: string) => buildReport({ store: metrics, clock }, month),
  };
}

export type Deployment = ReturnType<typeof deploy>;

async function textOf({ body }: APIGatewayProxyResult): Promise<string> {
  if (typeof body === "string") return body;
  let text = "";
  for await (const piece of body as unknown as Readable) text += String(piece);
  return text;
}

/** What a client has of an answer that was streamed to it. One that broke off ends with an error, as it does without a stream. */
function readStream(text: string): Reply {
  const events = text
    .split("\n\n")
    .flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []));
  if (events.some(({ type }) => type === "error")) return { status: 502, body: undefined };
  const content = events.flatMap(({ type, delta }) => (type === "text-delta" ? [delta] : [])).join("");
  const { usage } = events.findLast(({ messageMetadata }) => messageMetadata)?.messageMetadata ?? {};
  return { status: 200, body: { message: { id: events[0]?.messageId, content, usage } } };
}

/** The event of a proxy integration, with what the authorizer says of the token. */
function eventOf(
  { operation, user, params = {}, query, body, key, request_id = "request" }: ApiRequest,
  now: number,
): APIGatewayProxyEvent {
  const { method, path }: Operation = operations[operation];
  return {
    resource: path,
    path: path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? "")),
    httpMethod: method,
    headers: key === undefined ? {} : { "Idempotency-Key": key },
    pathParameters: params,
    queryStringParameters: query ?? null,
    body: body === undefined ? null : JSON.stringify(body),
    isBase64Encoded: false,
    requestContext: {
      requestId: request_id,
      authorizer: { sub: user, exp: String(Math.floor(now / 1000) + 3600), groups: "admin", scope: "", plan: "free" },
    },
  } as unknown as APIGatewayProxyEvent;
}
