import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import pMap from "p-map";
import { type BranchChange, type FollowDependencies, followBranch } from "../../shared/memory/follow-branch.ts";
import { fromImages, type StreamEntry } from "../../shared/memory/items.dynamodb.ts";
import { remember } from "../../shared/memory/remember.ts";
import { noRecorder, type Recorder } from "../../shared/metrics/recorder.ts";
import { lazyHandler, openRecorder, openStores, openTable } from "../compose.ts";
import { createLazyOpenAIEmbedder, openMemories } from "../compose-chat.ts";
import { createBatch } from "./middleware.ts";

/** Users whose messages are remembered in parallel. */
const PARALLEL = 4;

/**
 * Stream consumer: makes memories of new messages, so that the requests that wrote them do not wait. When another branch of a session
 * becomes current, it replaces the memories by those of that branch.
 */
export function createRememberJob(deps: FollowDependencies, recorder: Pick<Recorder, "flush"> = noRecorder) {
  return async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const batch = createBatch("remember");
    const users = [...Map.groupBy(Records.map(read), ({ user }) => user)];
    await pMap(
      users,
      ([user, entries]) =>
        batch.attempt({ records: entries.map(({ record }) => record), user }, async () => {
          for (const change of changesOf(entries)) await followBranch(deps, change);
          await remember(
            deps,
            user,
            entries.flatMap(({ captured }) => captured ?? []),
          );
        }),
      { concurrency: PARALLEL },
    );
    await recorder.flush();
    return batch.response;
  };
}

interface Entry extends StreamEntry {
  record: DynamoDBRecord;
}

function read(record: DynamoDBRecord): Entry {
  const { NewImage, OldImage } = record.dynamodb ?? {};
  if (!NewImage) throw new Error("the record has no new image");
  return { record, ...fromImages(...([NewImage, OldImage] as Parameters<typeof fromImages>)) };
}

/** Returns one change per session: the earliest one. */
function changesOf(entries: readonly Entry[]): BranchChange[] {
  const changes = entries.flatMap(({ change }) => change ?? []).sort((a, b) => (a.since < b.since ? -1 : 1));
  return [...new Map(changes.toReversed().map((change) => [change.session.id, change])).values()];
}

/** The job of deployments without memory. Messages that it skips never become memories. */
const rememberNothing = async (): Promise<DynamoDBBatchResponse> => ({ batchItemFailures: [] });

export const handler = lazyHandler((config): ReturnType<typeof createRememberJob> => {
  if (!config.MEMORY) return rememberNothing;
  const table = openTable(config);
  return createRememberJob(
    {
      ...openMemories(config, table, createLazyOpenAIEmbedder),
      stores: openStores(config, table),
    },
    openRecorder(config),
  );
});
