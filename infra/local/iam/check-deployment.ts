import { ACCOUNT, functionName, REGION } from "../assembly/physical.ts";
import type { Resolver } from "../assembly/resolve.ts";
import type { Access } from "./access.ts";

/**
 * Checks the permissions that Lambda requires of a function's role before it deploys the function, an event source or a
 * destination. Throws an Error in AWS's words where AWS rejects the deployment. Warns where AWS would lose logs.
 */
export function checkDeployment(resolver: Resolver, access: Access, warn: (text: string) => void): void {
  /** Throws an Error unless the function's role allows all of these actions on the resource. */
  const demand = (name: string, logicalId: string, actions: string[], resource: string, words: string) => {
    for (const action of actions) {
      const refusal = access.checkRoleOf(name, { action, resource });
      if (refusal) throw new Error(`${logicalId}: AWS refuses the deployment: ${words}. ${refusal}`);
    }
  };
  for (const resource of resolver.resources("AWS::Lambda::Function")) {
    const { logicalId, properties } = resource;
    const name = resolver.ref(resource);
    if ((properties.TracingConfig as { Mode?: string } | undefined)?.Mode === "Active") {
      const words = "The provided execution role does not have permissions to call PutTraceSegments on XRAY";
      demand(name, logicalId, ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*", words);
    }
    const { LogGroup = `/aws/lambda/${name}` } = (properties.LoggingConfig ?? {}) as { LogGroup?: string };
    const stream = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${LogGroup}:log-stream:local`;
    for (const action of ["logs:CreateLogStream", "logs:PutLogEvents"]) {
      const refusal = access.checkRoleOf(name, { action, resource: stream });
      if (refusal) warn(`function ${logicalId}: AWS would lose its logs. ${refusal}`);
    }
  }
  for (const resource of resolver.resources("AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig")) {
    const { logicalId, properties } = resource;
    const name = functionName(String(properties.FunctionName));
    if (properties.EventSourceArn !== undefined) {
      const source = String(properties.EventSourceArn);
      const words = `Cannot access stream ${source}. Please ensure the role can perform the GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM`;
      const reading = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"];
      demand(name, logicalId, reading, source, words);
      demand(name, logicalId, ["dynamodb:ListStreams"], "*", words);
    }
    const { OnFailure } = (properties.DestinationConfig ?? {}) as { OnFailure?: { Destination?: string } };
    const destination = OnFailure?.Destination;
    if (destination?.startsWith("arn:aws:sqs:")) {
      const words = `The function execution role does not have permissions to call sqs:sendmessage on ${destination}`;
      demand(name, logicalId, ["sqs:sendmessage"], destination, words);
    } else if (destination) {
      throw new Error(`${logicalId}: the local host supports queues as destinations only, not ${destination}`);
    }
  }
}
