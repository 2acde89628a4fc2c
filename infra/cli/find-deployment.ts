import { CloudFormationClient, DescribeStacksCommand, type Output } from "@aws-sdk/client-cloudformation";
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { engineClient, findRunningHost } from "../local/index.ts";

/** Where dead letters are, and what they are delivered with. */
export interface Place {
  /** In words, such as "the local host on .memocha". */
  description: string;
  sqs: SQSClient;
  lambda: LambdaClient;
  streams: DynamoDBStreamsClient;
  deadLetterQueueUrl: string;
  /** Seconds to wait for messages: SQS finds all of them only when it may take its time. */
  waitSeconds: number;
  reconcileFunctionName: string;
  reembedFunctionName: string;
}

/** The deployment or host that was asked for is not there. */
export class PlaceError extends Error {}

const outputs = z.object({
  DeadLetterQueueUrl: z.string(),
  ReconcileFunctionName: z.string(),
  ReembedFunctionName: z.string(),
});
/**
 * The deployment of `stage`, or else the host that runs on the directory `data`.
 * Throws a PlaceError that says what to do when it is not there.
 */
export async function findPlace(options: { stage?: string; data: string }): Promise<Place> {
  return options.stage === undefined ? localHost(options.data) : deployment(options.stage);
}

function localHost(data: string): Place {
  const host = findRunningHost(data);
  if (!host) {
    throw new PlaceError(
      `No local host is running on ${data}. Start one (npm start), name its directory (--data DIR), ` +
        "or name a deployment (--stage dev).",
    );
  }
  const read = outputs.safeParse(host.outputs);
  if (!read.success) throw new PlaceError(`The host on ${data} lacks outputs: ${z.prettifyError(read.error)}`);
  const { sqs, lambda, streams } = host.endpoints;
  return {
    description: `the local host on ${data}`,
    sqs: new SQSClient(engineClient(sqs)),
    lambda: new LambdaClient(engineClient(lambda)),
    streams: new DynamoDBStreamsClient(engineClient(streams)),
    waitSeconds: 0,
    deadLetterQueueUrl: read.data.DeadLetterQueueUrl,
    reconcileFunctionName: read.data.ReconcileFunctionName,
    reembedFunctionName: read.data.ReembedFunctionName,
  };
}

/** Region and credentials are the SDK's business: environment, profile, single sign-on. */
async function deployment(stage: string): Promise<Place> {
  const StackName = `Memocha-${stage}-Jobs`;
  const cloudFormation = new CloudFormationClient();
  const found = await cloudFormation.send(new DescribeStacksCommand({ StackName })).catch((error: unknown) => {
    throw new PlaceError(`The stack ${StackName} cannot be read: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  });
  const named = (found.Stacks?.[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }: Output) => [
    OutputKey,
    OutputValue,
  ]);
  const read = outputs.safeParse(Object.fromEntries(named));
  if (!read.success) throw new PlaceError(`The stack ${StackName} lacks outputs: ${z.prettifyError(read.error)}`);
  return {
    description: `the deployment ${stage}`,
    sqs: new SQSClient(),
    lambda: new LambdaClient(),
    streams: new DynamoDBStreamsClient(),
    waitSeconds: 2,
    deadLetterQueueUrl: read.data.DeadLetterQueueUrl,
    reconcileFunctionName: read.data.ReconcileFunctionName,
    reembedFunctionName: read.data.ReembedFunctionName,
  };
}
