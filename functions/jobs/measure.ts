import { createDynamoDB } from "../../shared/dynamodb/create-dynamodb.ts";
import type { Recorder } from "../../shared/metrics/recorder.ts";
import { measureStores, type StoreSize } from "../../shared/metrics/store-sizes.aws.ts";
import { createS3 } from "../../shared/s3/create-s3.ts";
import { lazyHandler, openRecorder } from "../compose.ts";
import { openJobBook, recordSuccess } from "./middleware.ts";

interface Dependencies {
  measure(): Promise<StoreSize[]>;
  recorder: Recorder;
}

/** Daily schedule: records the size of every store, so that the metrics show its growth. */
export function createMeasureJob({ measure, recorder }: Dependencies) {
  return async (): Promise<void> => {
    for (const { store, bytes, items } of await measure()) {
      recorder.note({ kind: "store.size", dimensions: { store }, measures: { bytes, items } });
    }
    await recorder.flush();
  };
}

export const handler = lazyHandler((config) => {
  const stores = {
    dynamodb: createDynamoDB(),
    s3: createS3(),
    conversations: config.CONVERSATIONS_TABLE,
    metrics: config.METRICS_TABLE,
    exports: config.EXPORTS_TABLE,
    bucket: config.ARCHIVE_BUCKET,
  };
  return recordSuccess(
    "jobs-measure",
    openJobBook(config),
    createMeasureJob({ measure: () => measureStores(stores), recorder: openRecorder(config) }),
  );
});
