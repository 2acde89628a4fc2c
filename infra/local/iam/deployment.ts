import { ACCOUNT, functionName, REGION } from "../assembly/physical.ts";
import type { Resolver, Resource } from "../assembly/resolve.ts";
import type { Access } from "./access.ts";
import type { Permission } from "./statement.ts";

interface Target {
  Destination?: string;
}

/**
 * Checks what Lambda asks of a function's role before it deploys the function, an event source or a destination. Throws an Error in AWS's words
 * where AWS refuses the deployment. Warns where AWS deploys but loses what the function logs.
 */
export function checkDeployment(resolver: Resolver, access: Access, warn: (text: string) => void): void {
  for (const resource of resolver.resources("AWS::Lambda::Function")) checkFunction(resource, resolver, access, warn);
  for (const { logicalId, properties } of resolver.resources("AWS::Lambda::EventSourceMapping")) {
    const name = functionName(String(properties.FunctionName));
    checkSource(logicalId, name, String(properties.EventSourceArn), access);
    checkDestination(logicalId, name, properties.DestinationConfig, access);
  }
  for (const { logicalId, properties } of resolver.resources("AWS::Lambda::EventInvokeConfig")) {
    checkDestination(logicalId, functionName(String(properties.FunctionName)), properties.DestinationConfig, access);
  }
}

function checkFunction(resource: Resource, resolver: Resolver, access: Access, warn: (text: string) => void): void {
  const { logicalId, properties } = resource;
  const name = resolver.ref(resource);
  const { Mode } = (properties.TracingConfig ?? {}) as { Mode?: string };
  if (Mode === "Active") {
    const traces = ["PutTraceSegments", "PutTelemetryRecords"].map((action) => ({
      action: `xray:${action}`,
      resource: "*",
    }));
    demand(
      logicalId,
      name,
      traces,
      access,
      "The provided execution role does not have permissions to call PutTraceSegments on XRAY",
    );
  }
  const { TargetArn } = (properties.DeadLetterConfig ?? {}) as { TargetArn?: string };
  if (TargetArn) checkDestination(logicalId, name, { OnFailure: { Destination: TargetArn } }, access);
  const { LogGroup = `/aws/lambda/${name}` } = (properties.LoggingConfig ?? {}) as { LogGroup?: string };
  const group = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${LogGroup}`;
  for (const action of ["CreateLogStream", "PutLogEvents"]) {
    const refusal = access.checkRoleOf(name, { action: `logs:${action}`, resource: `${group}:log-stream:local` });
    if (refusal) warn(`function ${logicalId}: AWS would lose its logs. ${refusal.message}`);
  }
}

function checkSource(logicalId: string, name: string, source: string, access: Access): void {
  if (source.startsWith("arn:aws:sqs:")) {
    const permissions = ["receivemessage", "deletemessage", "getqueueattributes"].map((action) => ({
      action: `sqs:${action}`,
      resource: source,
    }));
    demand(
      logicalId,
      name,
      permissions,
      access,
      "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    );
    return;
  }
  const permissions = ["GetRecords", "GetShardIterator", "DescribeStream"].map((action) => ({
    action: `dynamodb:${action}`,
    resource: source,
  }));
  const all = [...permissions, { action: "dynamodb:ListStreams", resource: "*" }];
  const words = `Cannot access stream ${source}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM`;
  demand(logicalId, name, all, access, words);
}

function checkDestination(logicalId: string, name: string, config: unknown, access: Access): void {
  const { OnFailure, OnSuccess } = (config ?? {}) as { OnFailure?: Target; OnSuccess?: Target };
  for (const target of [OnFailure, OnSuccess]) {
    const arn = target?.Destination;
    if (!arn) continue;
    const service = arn.split(":")[2] ?? "";
    const action = destinationActions[service];
    if (!action)
      throw new Error(`${logicalId}: the local host does not know which permission the destination ${arn} needs`);
    const words = `The function execution role does not have permissions to call ${action} on ${arn}`;
    demand(logicalId, name, [{ action, resource: arn }], access, words);
  }
}

/** What it takes to send to a destination, by the service in its ARN. */
const destinationActions: Record<string, string> = {
  events: "events:PutEvents",
  lambda: "lambda:InvokeFunction",
  sns: "sns:Publish",
  sqs: "sqs:sendmessage",
};

/** Throws an Error unless the function's role has all of these permissions. */
function demand(logicalId: string, name: string, permissions: Permission[], access: Access, words: string): void {
  for (const permission of permissions) {
    const refusal = access.checkRoleOf(name, permission);
    if (refusal) throw new Error(`${logicalId}: AWS refuses the deployment: ${words}. ${refusal.message}`);
  }
}
