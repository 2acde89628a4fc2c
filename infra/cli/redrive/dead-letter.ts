import type { Message } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { functions } from "../../functions.ts";

/** Where in a stream the records of a failed batch are. */
export interface StreamRange {
  streamArn: string;
  shardId: string;
  startSequenceNumber: string;
  endSequenceNumber: string;
  batchSize: number;
}

/** What a dead letter asks for. */
export type DeadLetter = { functionArn: string; reason: string; at: Date | undefined } & (
  | { kind: "stream"; range: StreamRange }
  /** An event that a function failed on, or that never reached it. */
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
 * invocation, or an event that EventBridge could not deliver. undefined = none of these.
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

/** The function as the map of functions calls it, or its physical name when the map does not know it. */
export function functionLabel(functionArn: string): string {
  return mappedName(functionArn) ?? physicalName(functionArn);
}

/** The event filter patterns of a stream's function; undefined when the map does not know it. */
export function filtersOf(functionArn: string): readonly object[] | undefined {
  const name = mappedName(functionArn);
  const trigger = name && functions[name].trigger;
  return trigger && trigger.kind === "stream" ? trigger.filters : undefined;
}

function mappedName(functionArn: string): keyof typeof functions | undefined {
  // CloudFormation's names hold the logical id, which has no dashes.
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

/** The ARN without a version, which may be gone: what is there now is what has the cure. */
function unqualified(functionArn: string): string {
  return functionArn.split(":").slice(0, 7).join(":");
}
