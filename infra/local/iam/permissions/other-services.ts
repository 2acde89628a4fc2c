import { ACCOUNT, REGION } from "../../assembly/physical.ts";
import type { Permission } from "../statement.ts";

/** The permission that a call of SQS needs. Its resource is the queue in the request's URL or name. */
export function sqsPermissions(
  operation: string,
  { QueueUrl, QueueName }: { QueueUrl?: string; QueueName?: string },
): Permission[] {
  const queue = QueueName ?? QueueUrl?.split("/").at(-1);
  const resource = queue === undefined ? "*" : `arn:aws:sqs:${REGION}:${ACCOUNT}:${queue}`;
  // A batch needs the permission of the single operation. SQS writes actions in lower case, also in its errors.
  return [{ action: `sqs:${operation.replace(/Batch$/, "").toLowerCase()}`, resource }];
}

/** The permission that a call of Secrets Manager needs. A request may name a secret by its ARN or its name. */
export function secretsPermissions(operation: string, { SecretId = "" }: { SecretId?: string }): Permission[] {
  const isArn = SecretId.startsWith("arn:");
  const resource = isArn ? SecretId : `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${SecretId}`;
  return [{ action: `secretsmanager:${operation}`, resource }];
}

/** The permission that a call of a function needs. */
export function invokePermission(functionArn: string): Permission {
  return { action: "lambda:InvokeFunction", resource: functionArn };
}
