import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda";
import { logFailure } from "../../shared/log.ts";
import { fromMessageImage } from "../../shared/memory/items.dynamodb.ts";
import type { Captured } from "../../shared/memory/memory.ts";
import { type MemoryDependencies, remember } from "../../shared/memory/remember.ts";
import { noRecorder, type Recorder } from "../../shared/metrics/recorder.ts";
import { lazyHandler, openRecorder, openTable } from "../compose.ts";
import { createOpenAIEmbedderLater, openMemories } from "../compose-chat.ts";

/** Users whose messages are remembered in parallel. */
const PARALLEL = 4;

/** Stream consumer: turns new messages into memories, so that the requests that wrote them do not wait for it. */
export function createRememberJob(deps: MemoryDependencies, recorder: Pick<Recorder, "flush"> = noRecorder) {
  return async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const pending = [...Map.groupBy(Records.map(read), ({ captured }) => captured.session.user)];
    const batchItemFailures: DynamoDBBatchResponse["batchItemFailures"] = [];
    await Promise.all(Array.from({ length: PARALLEL }, work));
    await recorder.flush();
    return { batchItemFailures };

    async function work(): Promise<void> {
      for (let next = pending.shift(); next; next = pending.shift()) {
        const [user, entries] = next;
        try {
          await remember(
            deps,
            user,
            entries.map(({ captured }) => captured),
          );
        } catch (error) {
          logFailure(error, { job: "remember", user });
          batchItemFailures.push(...entries.map(({ itemIdentifier }) => ({ itemIdentifier })));
        }
      }
    }
  };
}

function read({ dynamodb }: DynamoDBRecord): { itemIdentifier: string; captured: Captured } {
  if (!dynamodb?.NewImage) throw new Error("the record has no new image");
  return {
    itemIdentifier: dynamodb.SequenceNumber ?? "",
    captured: fromMessageImage(dynamodb.NewImage as Parameters<typeof fromMessageImage>[0]),
  };
}

/** For deployments without memory: messages are skipped for ever. */
const rememberNothing = async (): Promise<DynamoDBBatchResponse> => ({ batchItemFailures: [] });

export const handler = lazyHandler((config): ReturnType<typeof createRememberJob> => {
  if (!config.MEMORY) return rememberNothing;
  return createRememberJob(openMemories(config, openTable(config), createOpenAIEmbedderLater), openRecorder(config));
});
