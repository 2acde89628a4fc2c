import type { Message } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { functions } from "../../functions.ts";

/** The position of a failed batch in a stream. */
export interface StreamRange {
  streamArn: string;
  shardId: string;
  startSequenceNumber: string;
  endSequenceNumber: string;
  batchSize: number;
}

/** A message of the dead-letter queue: which function failed, why, when, and on what. */
export type DeadLetter = { functionArn: string; reason: string; at: Date | undefined } & (
  | { kind: "stream"; range: StreamRange }
  /** A function failed on the event, or EventBridge could not deliver it. */
  | { kind: "event"; payload: unknown }
);

const failed = z.object({
  timestamp: z.string().optional(),
  requestContext: z.object({ functionArn: z.string(), condition: z.string().default("failed") }),
  responsePayload: z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() }).nullish(),
});
const streamBatch = failed.extend({
  DDBStreamBatchInfo: z.object({
    streamArn: z.string(),
    shardId: z.string(),
    startSequenceNumber: z.string().regex(/^\d+$/),
    endSequenceNumber: z.string().regex(/^\d+$/),
    batchSize: z.number().int().default(1),
  }),
});
const invocation = failed.extend({ requestPayload: z.unknown() });

/**
 * Reads a message of the dead-letter queue: Lambda's record of a failed stream batch or of a failed asynchronous
 * invocation, or an event that EventBridge could not deliver. Returns undefined for any other message.
 */
export function readDeadLetter(message: Message): DeadLetter | undefined {
  let body: unknown;
  try {
    body = JSON.parse(message.Body ?? "");
  } catch {
    return undefined;
  }
  const batch = streamBatch.safeParse(body);
  if (batch.success) return { ...origin(batch.data), kind: "stream", range: batch.data.DDBStreamBatchInfo };
  const called = invocation.safeParse(body);
  if (called.success && called.data.requestPayload !== undefined) {
    return { ...origin(called.data), kind: "event", payload: called.data.requestPayload };
  }
  const target = message.MessageAttributes?.TARGET_ARN?.StringValue;
  if (target === undefined) return undefined;
  const code = message.MessageAttributes?.ERROR_CODE?.StringValue;
  const sent = Number(message.Attributes?.SentTimestamp);
  return {
    kind: "event",
    functionArn: unqualified(target),
    reason: `EventBridge could not deliver it${code ? `: ${code}` : ""}`,
    at: Number.isFinite(sent) ? new Date(sent) : undefined,
    payload: body,
  };
}

/** The function's name in `infra/functions.ts`, or its physical name when it is not there. */
export function functionLabel(functionArn: string): string {
  return mappedName(functionArn) ?? physicalName(functionArn);
}

/** The event filter patterns of a stream function; undefined when `infra/functions.ts` does not have the function. */
export function filtersOf(functionArn: string): readonly object[] | undefined {
  const name = mappedName(functionArn);
  const trigger = name && functions[name].trigger;
  return trigger && trigger.kind === "stream" ? trigger.filters : undefined;
}

function mappedName(functionArn: string): keyof typeof functions | undefined {
  // CloudFormation builds the physical name from the logical id, which has no dashes.
  const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const physical = plain(physicalName(functionArn));
  const names = Object.keys(functions) as (keyof typeof functions)[];
  return names.find((name) => physical.includes(plain(name)));
}

function physicalName(functionArn: string): string {
  return /:function:([^:]+)/.exec(functionArn)?.[1] ?? functionArn;
}

function origin({ requestContext, responsePayload, timestamp }: z.infer<typeof failed>) {
  const { errorType, errorMessage } = responsePayload ?? {};
  const error = [errorType, errorMessage].filter(Boolean).join(": ");
  return {
    functionArn: unqualified(requestContext.functionArn),
    reason: [requestContext.condition, error].filter(Boolean).join(", "),
    at: timestamp === undefined ? undefined : new Date(timestamp),
  };
}

/** Removes the version from an ARN: that version may be gone, and the current code may contain the fix. */
function unqualified(functionArn: string): string {
  return functionArn.split(":").slice(0, 7).join(":");
}
