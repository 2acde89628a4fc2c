import type { Clock } from "../../../shared/clock.ts";
import { counted } from "../../../shared/counted.ts";
import type { UserChoice } from "./choose-user.ts";
import { drain } from "./drain.ts";
import { nameRecord } from "./formats/read-conversation.ts";
import { createRecordImporter, type Outcome } from "./import-record.ts";
import { findFiles, type InputFile } from "./read/find-files.ts";
import { type InputRecord, readRecords } from "./read/read-records.ts";
import { type ApiOptions, createApi } from "./send/api-client.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./send/backoff.ts";
import { Refused, Unreachable } from "./send/errors.ts";
import { emptySummary, MAX_LISTED, type Problem, type Summary } from "./summary.ts";

export interface ImportOptions extends UserChoice {
  /** Files and directories. */
  files: readonly string[];
  /** Where the API is. */
  url: string;
  /** A token for the API, or what gives one that is still good. */
  token: string | (() => Promise<string>);
  /** Idleness after which the sessions expire. @default the server's */
  ttlSeconds?: number | undefined;
  /** Sessions sent at once. @default 8 */
  concurrency?: number | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  /** @default Date.now */
  clock?: Clock | undefined;
  /** Ends the run: requests under way are finished, nothing more is sent. */
  signal?: AbortSignal | undefined;
  /** Called as things change, often; the summary is the one that the import ends with. */
  onProgress?: ((soFar: Readonly<Summary>) => void) | undefined;
  onProblem?: ((problem: Problem) => void) | undefined;
}

export const DEFAULT_CONCURRENCY = 8;

/** Bytes of records that are being sent at once; one that is larger goes alone. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** Attempts to reach the server at all: whoever has forgotten to start it learns so within a second or two. */
const GREETINGS = 4;

/** Sessions that fail one after the other for want of an answer before the server counts as gone. */
const MAX_FAILURES_IN_A_ROW = 20;

/**
 * Imports conversations through the public API. Records are read no faster than they are sent, so memory does not grow
 * with the files. What fails is in the summary; run again, it goes on where it ended and stores nothing twice.
 * @throws Error when a file does not exist or no API answers at `url`.
 */
export async function importFiles(options: ImportOptions): Promise<Summary> {
  const files = await findFiles(options.files);
  const summary = emptySummary(files.reduce((sum, { size }) => sum + size, 0));
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
  const send = createApi(api);
  const importRecord = createRecordImporter(send, {
    ...options,
    clock: options.clock ?? Date.now,
    onStored(messages) {
      summary.messages += messages;
      progress();
    },
  });
  const items = readAll(files, (bytes) => {
    summary.read += bytes;
    progress();
  });
  const note = createJudge(summary, stopFor, options.onProblem);
  try {
    await greet({ ...api, policy: { ...policy, attempts: Math.min(policy.attempts, GREETINGS) } });
    const { concurrency = DEFAULT_CONCURRENCY } = options;
    await drain(items, { concurrency, maxSize: MAX_PENDING_BYTES, signal: stop.signal }, async (item) => {
      note(item, await importRecord(item.record.content));
      progress();
    });
  } finally {
    await items.return(undefined);
    options.signal?.removeEventListener("abort", interrupt);
    progress();
  }
  return summary;
}

interface Item {
  file: string;
  record: InputRecord;
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

async function* readAll(files: readonly InputFile[], onRead: (bytes: number) => void): AsyncGenerator<Item> {
  for (const { path } of files) {
    for await (const record of readRecords(path, onRead)) yield { file: path, record, size: record.bytes };
  }
}

/** @throws Error when no API answers; one that is not well may get well, and is asked again by every request. */
async function greet(api: ApiOptions): Promise<void> {
  try {
    await createApi(api)({ method: "GET", path: "/health", accept: [500, 502, 503, 504] });
  } catch (error) {
    if (!(error instanceof Unreachable)) return;
    throw new Error(`no API answers at ${api.url}: ${error.message}. Is it running (npm start)?`, { cause: error });
  }
}

/** Makes what enters outcomes into the summary, and ends the run when going on is of no use. */
function createJudge(
  summary: Summary,
  stopFor: (reason: string) => void,
  onProblem: ImportOptions["onProblem"],
): (item: Item, outcome: Outcome) => void {
  let failuresInARow = 0;
  return ({ file, record }, outcome) => {
    summary[outcome.kind] += 1;
    if (outcome.kind === "imported" || outcome.kind === "resumed") {
      summary.changes.moved += outcome.changes.moved;
      summary.changes.renamed += outcome.changes.renamed;
      summary.changes.mended += outcome.changes.mended;
    }
    if (outcome.kind === "bad" || outcome.kind === "failed") {
      const { kind, reason } = outcome;
      const id = "value" in record.content ? nameRecord(record.content.value) : undefined;
      const problem: Problem = { kind, file, place: record.place, ...(id !== undefined && { id }), reason };
      if (summary.problems.length < MAX_LISTED) summary.problems.push(problem);
      onProblem?.(problem);
    }
    if (outcome.kind === "imported" || outcome.kind === "existing" || outcome.kind === "resumed") failuresInARow = 0;
    if (outcome.kind !== "failed") return;
    const { cause, reason } = outcome;
    if (cause instanceof Refused) {
      if (cause.status === 401 || cause.status === 403) stopFor(`the server refuses the token: ${reason}`);
      return;
    }
    failuresInARow += 1;
    if (failuresInARow < MAX_FAILURES_IN_A_ROW) return;
    stopFor(`${counted(failuresInARow, "conversation")} in a row could not be stored, the last for: ${reason}`);
  };
}
