import { readFileSync } from "node:fs";
import path from "node:path";
import { CloudFormationClient, DescribeStacksCommand, type Output } from "@aws-sdk/client-cloudformation";
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { isAlive } from "../local/dynamodb/process-identity.ts";

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
const hostFile = z.object({
  pid: z.number(),
  endpoints: z.object({ sqs: z.string(), lambda: z.string(), streams: z.string() }),
  outputs,
});

/**
 * The deployment of `stage`, or else the host that runs on the directory `data`.
 * Throws a PlaceError that says what to do when it is not there.
 */
export async function findPlace(options: { stage?: string; data: string }): Promise<Place> {
  return options.stage === undefined ? localHost(options.data) : deployment(options.stage);
}

function localHost(data: string): Place {
  const host = readHostFile(path.join(data, "host.json"));
  if (host === undefined || !isAlive(host.pid)) {
    throw new PlaceError(
      `No local host is running on ${data}. Start one (npm start), name its directory (--data DIR), ` +
        "or name a deployment (--stage dev).",
    );
  }
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const at = (endpoint: string) => ({ endpoint, region: "us-east-1", credentials });
  return {
    description: `the local host on ${data}`,
    sqs: new SQSClient(at(host.endpoints.sqs)),
    lambda: new LambdaClient(at(host.endpoints.lambda)),
    streams: new DynamoDBStreamsClient(at(host.endpoints.streams)),
    waitSeconds: 0,
    deadLetterQueueUrl: host.outputs.DeadLetterQueueUrl,
    reconcileFunctionName: host.outputs.ReconcileFunctionName,
    reembedFunctionName: host.outputs.ReembedFunctionName,
  };
}

function readHostFile(file: string): z.infer<typeof hostFile> | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const host = hostFile.safeParse(JSON.parse(text));
  if (host.success) return host.data;
  throw new PlaceError(`${file} is not of this version of the local host: ${z.prettifyError(host.error)}`);
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
