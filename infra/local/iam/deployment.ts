import { ACCOUNT, functionName, REGION } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import type { Access } from "./access.ts";

interface Target {
  Destination?: string;
}

/**
 * Checks the permissions that Lambda requires of a function's role before it deploys the function, an event source or a
 * destination. Throws an Error in AWS's words where AWS rejects the deployment. Warns where AWS would lose logs.
 */
export function checkDeployment(resolver: Resolver, access: Access, warn: (text: string) => void): void {
  for (const resource of resolver.resources("AWS::Lambda::Function")) {
    const name = resolver.ref(resource);
    checkFunction(resource, createDemand(resource, name, access));
    warnOfLostLogs(resource, name, access, warn);
  }
  for (const resource of resolver.resources("AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig")) {
    const { EventSourceArn, DestinationConfig, FunctionName } = resource.properties;
    const demand = createDemand(resource, functionName(String(FunctionName)), access);
    if (EventSourceArn !== undefined) checkSource(String(EventSourceArn), demand);
    checkDestination(resource, DestinationConfig, demand);
  }
}

/** Throws an Error unless the function's role allows all of these actions on the resource. */
type Demand = (actions: readonly string[], resource: string, words: string) => void;

function createDemand({ logicalId }: Resource, name: string, access: Access): Demand {
  return (actions, resource, words) => {
    for (const action of actions) {
      const refusal = access.checkRoleOf(name, { action, resource });
      if (refusal) throw new Error(`${logicalId}: AWS refuses the deployment: ${words}. ${refusal.message}`);
    }
  };
}

function checkFunction(resource: Resource, demand: Demand): void {
  const { TracingConfig, DeadLetterConfig } = resource.properties as {
    TracingConfig?: { Mode?: string };
    DeadLetterConfig?: { TargetArn?: string };
  };
  if (TracingConfig?.Mode === "Active") {
    const words = "The provided execution role does not have permissions to call PutTraceSegments on XRAY";
    demand(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*", words);
  }
  const { TargetArn } = DeadLetterConfig ?? {};
  if (TargetArn) checkDestination(resource, { OnFailure: { Destination: TargetArn } }, demand);
}

function warnOfLostLogs(
  { logicalId, properties }: Resource,
  name: string,
  access: Access,
  warn: (text: string) => void,
): void {
  const { LogGroup = `/aws/lambda/${name}` } = (properties.LoggingConfig ?? {}) as { LogGroup?: string };
  const resource = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${LogGroup}:log-stream:local`;
  for (const action of ["logs:CreateLogStream", "logs:PutLogEvents"]) {
    const refusal = access.checkRoleOf(name, { action, resource });
    if (refusal) warn(`function ${logicalId}: AWS would lose its logs. ${refusal.message}`);
  }
}

function checkSource(source: string, demand: Demand): void {
  if (source.startsWith("arn:aws:sqs:")) {
    const words = "The provided execution role does not have permissions to call ReceiveMessage on SQS";
    demand(["sqs:receivemessage", "sqs:deletemessage", "sqs:getqueueattributes"], source, words);
    return;
  }
  const words = `Cannot access stream ${source}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM`;
  demand(["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"], source, words);
  demand(["dynamodb:ListStreams"], "*", words);
}

/** The action that sends to a destination, by the service in its ARN. */
const destinationActions: Record<string, string> = {
  events: "events:PutEvents",
  lambda: "lambda:InvokeFunction",
  sns: "sns:Publish",
  sqs: "sqs:sendmessage",
};

function checkDestination({ logicalId }: Resource, config: unknown, demand: Demand): void {
  const { OnFailure, OnSuccess } = (config ?? {}) as { OnFailure?: Target; OnSuccess?: Target };
  for (const target of [OnFailure, OnSuccess]) {
    const arn = target?.Destination;
    if (!arn) continue;
    const action = destinationActions[arn.split(":")[2] ?? ""];
    if (!action) {
      throw new Error(`${logicalId}: the local host does not know which permission the destination ${arn} needs`);
    }
    demand([action], arn, `The function execution role does not have permissions to call ${action} on ${arn}`);
  }
}
