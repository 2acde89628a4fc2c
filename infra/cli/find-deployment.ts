import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { SQSClient } from "@aws-sdk/client-sqs";
import { engineClient } from "../local/index.ts";
import { findHost, pickOutputs } from "./find-host.ts";
import { messageOf } from "./run-command.ts";

const OUTPUTS = ["DeadLetterQueueUrl", "ReconcileFunctionName", "ReembedFunctionName"] as const;

/** A deployment on AWS, or a local host, with clients for it. */
export interface Deployment {
  /** For people, such as "the local host on .memocha". */
  description: string;
  outputs: Record<(typeof OUTPUTS)[number], string>;
  sqs: SQSClient;
  lambda: LambdaClient;
  streams: DynamoDBStreamsClient;
  /** Seconds to wait for messages of a queue: without long polling, SQS asks only some of its servers. */
  waitSeconds: number;
}

/**
 * Finds the deployment of `stage`, or the local host that runs on the directory `data` when no stage is given.
 * Throws an Error that says what to do when there is none.
 */
export async function findDeployment({
  stage,
  data,
}: {
  stage?: string | undefined;
  data: string;
}): Promise<Deployment> {
  return stage === undefined ? onThisMachine(data) : onAws(stage);
}

function onThisMachine(data: string): Deployment {
  const remedy = "name its directory (--data DIR), or name a deployment (--stage dev)";
  const { endpoints, outputs } = findHost(data, OUTPUTS, remedy);
  return {
    description: `the local host on ${data}`,
    outputs,
    sqs: new SQSClient(engineClient(endpoints.sqs)),
    lambda: new LambdaClient(engineClient(endpoints.lambda)),
    streams: new DynamoDBStreamsClient(engineClient(endpoints.streams)),
    waitSeconds: 0,
  };
}

/** The SDK finds region and credentials itself: in the environment, a profile, or single sign-on. */
async function onAws(stage: string): Promise<Deployment> {
  const StackName = `Memocha-${stage}-Jobs`;
  const command = new DescribeStacksCommand({ StackName });
  const { Stacks } = await new CloudFormationClient().send(command).catch((cause: unknown) => {
    throw new Error(`The stack ${StackName} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const outputs = Object.fromEntries(
    (Stacks?.[0]?.Outputs ?? []).map(({ OutputKey = "", OutputValue }) => [OutputKey, OutputValue]),
  );
  return {
    description: `the deployment ${stage}`,
    outputs: pickOutputs(outputs, OUTPUTS, `The stack ${StackName}`),
    sqs: new SQSClient(),
    lambda: new LambdaClient(),
    streams: new DynamoDBStreamsClient(),
    waitSeconds: 2,
  };
}

/** Invokes a function and returns its answer. Throws an Error with the function's own error text when it fails. */
export async function invokeFunction(lambda: LambdaClient, FunctionName: string, payload: unknown): Promise<unknown> {
  const command = new InvokeCommand({ FunctionName, Payload: Buffer.from(JSON.stringify(payload)) });
  const result = await lambda.send(command);
  const text = Buffer.from(result.Payload ?? []).toString();
  const answer: unknown = text === "" ? null : JSON.parse(text);
  if (result.FunctionError === undefined) return answer;
  const { errorType = result.FunctionError, errorMessage = text } = answer as Record<string, string>;
  throw new Error(`${errorType}: ${errorMessage}`);
}
