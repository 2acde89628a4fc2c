import type { Clock } from "../../../shared/clock.ts";
import { counted } from "../../../shared/counted.ts";
import type { UserChoice } from "./choose-user.ts";
import { drain } from "./drain.ts";
import { findRecordId } from "./formats/formats.ts";
import { type JoinedRecords, joinRecords } from "./formats/join-records.ts";
import { createRecordImporter, type Outcome, type RecordContent } from "./import-record.ts";
import { createIndex } from "./read/entry.ts";
import { type Input, openInputs } from "./read/open-inputs.ts";
import { openTable } from "./read/open-table.ts";
import {
  type ApiOptions,
  createApiClient,
  defaultRetryPolicy,
  Interrupted,
  Refused,
  type RetryPolicy,
  type Send,
  Unreachable,
} from "./send/api-client.ts";
import { emptySummary, MAX_LISTED, noteOtherData, type Problem, type Summary } from "./summary.ts";

export interface ImportOptions extends UserChoice {
  /** Files, directories and zip archives. */
  files: readonly string[];
  /** The name of a DynamoDB table of LangChain. The environment names its region and endpoint. */
  table?: string | undefined;
  /** The API's URL. */
  url: string;
  /** A token for the API, or a function that returns a valid one. */
  token: string | (() => Promise<string>);
  /** Seconds without activity after which the sessions expire. @default the server's */
  ttlSeconds?: number | undefined;
  /** Number of sessions to send at the same time. @default 8 */
  concurrency?: number | undefined;
  /** Whether to read and plan everything, but send nothing. */
  dryRun?: boolean | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  /** @default Date.now */
  clock?: Clock | undefined;
  /** Ends the run when it is aborted: requests under way are finished, and no more are sent. */
  signal?: AbortSignal | undefined;
  /** Called at each change, several times per session. The import returns the same summary at its end. */
  onProgress?: ((soFar: Readonly<Summary>) => void) | undefined;
  onProblem?: ((problem: Problem) => void) | undefined;
}

export const DEFAULT_CONCURRENCY = 8;

/** Bytes of the records that are being sent at the same time. A larger record is sent alone. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** Attempts to reach the server at the start: without a server, the import fails within two seconds. */
const FIRST_ATTEMPTS = 4;

/** Consecutive sessions without an answer after which the import ends. */
const MAX_FAILURES_IN_A_ROW = 20;

/**
 * Imports conversations through the public API. It reads records no faster than it sends them, so memory does not grow
 * with the files. Failures are in the summary. The next run continues where this one ended, and stores nothing twice.
 * @throws Error when a file does not exist or no API answers at `url`.
 */
export async function importFiles(options: ImportOptions): Promise<Summary> {
  const opened = await openInputs(options.files);
  const inputs = options.table === undefined ? opened.inputs : [...opened.inputs, await openTable(options.table)];
  const summary = emptySummary(inputs.reduce((sum, { bytes }) => sum + bytes, 0));
  const progress = startClock(summary, options.onProgress);
  const stop = new AbortController();
  const stopFor = (reason: string): void => {
    summary.stopped ??= reason;
    stop.abort();
  };
  const interrupt = (): void => stopFor("interrupted");
  options.signal?.addEventListener("abort", interrupt);
  if (options.signal?.aborted) interrupt();

  const { token } = options;
  const policy = { ...defaultRetryPolicy, ...options.retry };
  const api: ApiOptions = {
    url: options.url.replace(/\/+$/, ""),
    token: typeof token === "string" ? async () => token : token,
    policy,
    signal: stop.signal,
  };
  const send = createApiClient(api);
  const importRecord = createRecordImporter(send, {
    ...options,
    clock: options.clock ?? Date.now,
    onStored(messages, files) {
      summary.messages += messages;
      summary.files += files;
      progress();
    },
  });
  const items = readAll(inputs, (bytes) => {
    summary.read += bytes;
    progress();
  });
  const record = createRecorder(summary, stopFor, options.onProblem);
  try {
    const first = { ...policy, attempts: Math.min(policy.attempts, FIRST_ATTEMPTS) };
    if (!options.dryRun) await checkApi({ ...api, policy: first });
    for (const { memochaExport } of inputs) {
      if (!memochaExport) continue;
      noteOtherData(summary, memochaExport);
      // Switch memory off before the first message is stored.
      if (!memochaExport.memory && !options.dryRun) await switchMemoryOff(send, options.user, stopFor);
    }
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    await drain(items, { concurrency, maxSize: MAX_PENDING_BYTES, signal: stop.signal }, async (item) => {
      record(item, await importRecord(item));
      progress();
    });
  } finally {
    await items.return(undefined);
    opened.close();
    options.signal?.removeEventListener("abort", interrupt);
    progress();
  }
  return summary;
}

interface Item extends RecordContent {
  file: string;
  place: string;
  /** Bytes. */
  size: number;
}

function startClock(summary: Summary, onProgress: ImportOptions["onProgress"]): () => void {
  const began = performance.now();
  return () => {
    summary.seconds = (performance.now() - began) / 1000;
    onProgress?.(summary);
  };
}

async function* readAll(inputs: readonly Input[], onRead: (bytes: number) => void): AsyncGenerator<Item> {
  for (const { file, records, entries } of inputs) {
    const find = createIndex(entries);
    for await (const { place, bytes, content } of joinRecords(records(onRead))) {
      yield { file, place, content, size: bytes, find };
    }
  }
}

/** @throws Error when no API answers. An answer with an error is accepted, because the API may recover: later requests are repeated. */
async function checkApi(api: ApiOptions): Promise<void> {
  try {
    await createApiClient(api)({ method: "GET", path: "/health", accept: [500, 502, 503, 504] });
  } catch (error) {
    if (!(error instanceof Unreachable)) return;
    throw new Error(`no API answers at ${api.url}: ${error.message}. Is it running (npm start)?`, { cause: error });
  }
}

/** Switches memory off, and ends the run if it cannot. */
async function switchMemoryOff(send: Send, user: string | undefined, stopFor: (reason: string) => void): Promise<void> {
  try {
    await send({ method: "PATCH", path: "/v1/settings", user, body: { memory: false } });
  } catch (error) {
    if (error instanceof Refused || error instanceof Unreachable)
      stopFor(`memory cannot be switched off: ${error.message}`);
    else if (!(error instanceof Interrupted)) throw error;
  }
}

/** Creates a function that adds an outcome to the summary, and ends the run when more requests would fail too. */
function createRecorder(
  summary: Summary,
  stopFor: (reason: string) => void,
  onProblem: ImportOptions["onProblem"],
): (item: Item, outcome: Outcome) => void {
  let failuresInARow = 0;
  return (item, outcome) => {
    if ("left" in outcome) for (const what of outcome.left) summary.left[what] = (summary.left[what] ?? 0) + 1;
    if (outcome.kind === "none") return;
    summary[outcome.kind] += 1;
    switch (outcome.kind) {
      case "imported":
      case "existing":
      case "resumed":
        failuresInARow = 0;
        if (outcome.kind === "existing") break;
        addChanges(summary, outcome.changes);
        summary.branches += outcome.branches;
        break;
      case "bad":
      case "failed":
        report(item, outcome);
    }
    if (outcome.kind !== "failed") return;
    const { cause, reason } = outcome;
    if (cause instanceof Refused) {
      if (cause.status === 401 || cause.status === 403) stopFor(`the server refuses the token: ${reason}`);
      return;
    }
    failuresInARow += 1;
    if (failuresInARow < MAX_FAILURES_IN_A_ROW) return;
    stopFor(`${counted(failuresInARow, "conversation")} in a row could not be stored; the last error was: ${reason}`);
  };

  function report({ file, place, content }: Item, { kind, reason }: Extract<Outcome, { reason: string }>): void {
    const problem: Problem = { kind, file, place, ...nameOf(content), reason };
    if (summary.problems.length < MAX_LISTED) summary.problems.push(problem);
    onProblem?.(problem);
  }
}

function nameOf(content: JoinedRecords["content"]): { id?: string } {
  const [record] = "records" in content ? content.records : [];
  const id = record ? findRecordId(record) : undefined;
  return id === undefined ? {} : { id };
}

function addChanges({ changes }: Summary, { moved, renamed, mended, detached }: Summary["changes"]): void {
  changes.moved += moved;
  changes.renamed += renamed;
  changes.mended += mended;
  changes.detached += detached;
}
