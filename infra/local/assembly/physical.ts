import type { Stack, TemplateResource } from "./read.ts";

/** The account, region and partition of every local resource. */
export const ACCOUNT = "000000000000";
export const REGION = "us-east-1";
export const PARTITION = "aws";

/** The values of `Ref` (key `Ref`) and of `Fn::GetAtt` of a resource on this machine. */
export type Attributes = Record<string, string>;

/**
 * The attributes of a resource before anything runs: names and ARNs. They stay the same across restarts, because they are built from
 * the stack's name and the logical id. The host adds queue URLs, stream ARNs and the issuer when the servers listen.
 */
export function plannedAttributes(stack: Stack, logicalId: string, resource: TemplateResource): Attributes {
  const kind = resource.Type;
  const nameProperty = nameProperties[kind];
  const given = nameProperty ? resource.Properties?.[nameProperty] : undefined;
  const name = typeof given === "string" ? given : physicalName(kind, stack.name, logicalId);
  switch (kind) {
    case "AWS::Lambda::Function":
      return { Ref: name, Arn: functionArn(name) };
    case "AWS::Lambda::Version":
    case "AWS::Lambda::Alias":
      return { Ref: name };
    case "AWS::DynamoDB::Table":
    case "AWS::DynamoDB::GlobalTable":
      return { Ref: name, Arn: arn("dynamodb", `table/${name}`), TableId: name };
    case "AWS::S3::Bucket":
      return {
        Ref: name,
        Arn: `arn:${PARTITION}:s3:::${name}`,
        DomainName: `${name}.s3.amazonaws.com`,
        RegionalDomainName: `${name}.s3.${REGION}.amazonaws.com`,
      };
    case "AWS::SQS::Queue":
      return { Ref: name, Arn: arn("sqs", name), QueueName: name };
    case "AWS::SecretsManager::Secret":
      return { Ref: arn("secretsmanager", `secret:${name}`), Id: arn("secretsmanager", `secret:${name}`) };
    case "AWS::SNS::Topic":
      return { Ref: arn("sns", name), TopicArn: arn("sns", name), TopicName: name };
    case "AWS::IAM::ManagedPolicy":
      return { Ref: `arn:${PARTITION}:iam::${ACCOUNT}:policy/${name}` };
    case "AWS::IAM::Role":
      return { Ref: name, Arn: `arn:${PARTITION}:iam::${ACCOUNT}:role/${name}`, RoleId: name };
    case "AWS::Logs::LogGroup":
      return { Ref: name, Arn: `${arn("logs", `log-group:${name}`)}:*` };
    case "AWS::ApiGateway::RestApi":
      return { Ref: name, RestApiId: name, RootResourceId: `${name}-root` };
    case "AWS::ApiGateway::Authorizer":
      return { Ref: name, AuthorizerId: name };
    case "AWS::ApiGateway::Resource":
      return { Ref: name, ResourceId: name };
    case "AWS::ApiGateway::Stage":
      return { Ref: name };
    case "AWS::Cognito::UserPool":
      return { Ref: name, UserPoolId: name, Arn: arn("cognito-idp", `userpool/${name}`), ProviderName: name };
    case "AWS::Cognito::UserPoolClient":
      return { Ref: name, ClientId: name };
    default:
      return { Ref: name, Arn: arn(kind.split("::")[1]?.toLowerCase() ?? "unknown", name), Id: name };
  }
}

/** The ARN of the function with this name. */
export function functionArn(name: string): string {
  return arn("lambda", `function:${name}`);
}

/** The name of a function, from its name, its ARN or a partial ARN, with or without a qualifier. */
export function functionName(reference: string): string {
  const parts = reference.split(":");
  const at = parts.indexOf("function");
  return (at >= 0 ? parts[at + 1] : parts[0]) ?? "";
}

const nameProperties: Record<string, string> = {
  "AWS::Lambda::Function": "FunctionName",
  "AWS::Lambda::Alias": "Name",
  "AWS::DynamoDB::Table": "TableName",
  "AWS::DynamoDB::GlobalTable": "TableName",
  "AWS::S3::Bucket": "BucketName",
  "AWS::SQS::Queue": "QueueName",
  "AWS::SNS::Topic": "TopicName",
  "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
  "AWS::IAM::Role": "RoleName",
  "AWS::Logs::LogGroup": "LogGroupName",
  "AWS::ApiGateway::Stage": "StageName",
  "AWS::ApiGateway::Model": "Name",
  "AWS::Athena::WorkGroup": "Name",
  "AWS::Events::Rule": "Name",
  "AWS::Scheduler::Schedule": "Name",
  "AWS::SecretsManager::Secret": "Name",
};

/** Bucket names allow lower case and 63 characters. Function names allow 64 characters. */
function physicalName(kind: string, stackName: string, logicalId: string): string {
  const full = `${stackName}-${logicalId}`;
  if (kind === "AWS::S3::Bucket")
    return full
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, "-")
      .slice(-63)
      .replace(/^-+/, "");
  if (kind.startsWith("AWS::ApiGateway::")) return logicalId.toLowerCase();
  return full.slice(-64);
}

function arn(service: string, resource: string): string {
  return `arn:${PARTITION}:${service}:${REGION}:${ACCOUNT}:${resource}`;
}
