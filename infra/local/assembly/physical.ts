/** The account, region and partition of every local resource. */
export const ACCOUNT = "000000000000";
export const REGION = "us-east-1";
export const PARTITION = "aws";

/** The values of `Ref` (key `Ref`) and of `Fn::GetAtt` of a resource on this machine. */
export type Attributes = Record<string, string>;

/** ARNs by resource type. Other types have the ARN of their service and name. */
const arns: Record<string, (name: string) => string> = {
  "AWS::Lambda::Function": functionArn,
  "AWS::DynamoDB::Table": (name) => arn("dynamodb", `table/${name}`),
  "AWS::S3::Bucket": (name) => `arn:${PARTITION}:s3:::${name}`,
  "AWS::SecretsManager::Secret": (name) => arn("secretsmanager", `secret:${name}`),
  "AWS::IAM::Role": (name) => `arn:${PARTITION}:iam::${ACCOUNT}:role/${name}`,
  "AWS::Logs::LogGroup": (name) => `${arn("logs", `log-group:${name}`)}:*`,
  "AWS::Cognito::UserPool": (name) => arn("cognito-idp", `userpool/${name}`),
};

/** The types whose `Ref` is the ARN. */
const REF_IS_ARN = ["AWS::SecretsManager::Secret", "AWS::SNS::Topic"];

/**
 * The attributes of a resource before anything runs: names and ARNs. They stay the same across restarts, because they are built from
 * the stack's name and the logical id. The host adds queue URLs, stream ARNs and the issuer when the servers listen.
 */
export function plannedAttributes(
  stackName: string,
  logicalId: string,
  { Type: type, Properties: properties }: { Type: string; Properties?: Record<string, unknown> },
): Attributes {
  const [, service = "unknown", kind = ""] = type.split("::");
  const given = properties?.[`${kind}Name`];
  const name = typeof given === "string" ? given : physicalName(type, stackName, logicalId);
  const Arn = arns[type]?.(name) ?? arn(service.toLowerCase(), name);
  return {
    Ref: REF_IS_ARN.includes(type) ? Arn : name,
    Arn,
    Id: name,
    [`${kind}Id`]: name,
    [`${kind}Name`]: name,
    ...(type === "AWS::ApiGateway::RestApi" && { RootResourceId: `${name}-root` }),
  };
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

/** Bucket names allow lower case and 63 characters. Function names allow 64 characters. */
function physicalName(type: string, stackName: string, logicalId: string): string {
  const full = `${stackName}-${logicalId}`;
  if (type.startsWith("AWS::ApiGateway::")) return logicalId.toLowerCase();
  if (type !== "AWS::S3::Bucket") return full.slice(-64);
  const allowed = full.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
  return allowed.slice(-63).replace(/^-+/, "");
}

function arn(service: string, resource: string): string {
  return `arn:${PARTITION}:${service}:${REGION}:${ACCOUNT}:${resource}`;
}
