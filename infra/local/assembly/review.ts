import type { Resolver } from "./resolve.ts";

/**
 * The properties that the local host supports, or that need nothing here, by resource type. A dot leads to a nested property. Others
 * cause a warning. `*` = another file reads all properties, and refuses those that it does not know.
 */
const supported: Record<string, string> = {
  "AWS::ApiGateway::Authorizer":
    "AuthorizerResultTtlInSeconds AuthorizerUri IdentitySource IdentityValidationExpression Name RestApiId Type",
  "AWS::ApiGateway::GatewayResponse": "ResponseParameters ResponseTemplates ResponseType RestApiId StatusCode",
  "AWS::ApiGateway::Method":
    "AuthorizationType AuthorizerId HttpMethod Integration.ContentHandling Integration.IntegrationHttpMethod " +
    "Integration.IntegrationResponses Integration.RequestTemplates Integration.ResponseTransferMode " +
    "Integration.TimeoutInMillis Integration.Type Integration.Uri MethodResponses OperationName ResourceId RestApiId",
  "AWS::ApiGateway::Resource": "ParentId PathPart RestApiId",
  "AWS::ApiGateway::RestApi": "BinaryMediaTypes Description EndpointConfiguration Name Tags",
  "AWS::ApiGateway::Stage":
    "AccessLogSetting DeploymentId Description MethodSettings.DataTraceEnabled MethodSettings.HttpMethod " +
    "MethodSettings.LoggingLevel MethodSettings.MetricsEnabled MethodSettings.ResourcePath " +
    "MethodSettings.ThrottlingBurstLimit MethodSettings.ThrottlingRateLimit RestApiId StageName Tags TracingEnabled",
  "AWS::DynamoDB::Table":
    "AttributeDefinitions BillingMode DeletionProtectionEnabled GlobalSecondaryIndexes.IndexName " +
    "GlobalSecondaryIndexes.KeySchema GlobalSecondaryIndexes.Projection KeySchema PointInTimeRecoverySpecification " +
    "SSESpecification StreamSpecification TableName Tags TimeToLiveSpecification VectorIndexes.Dimensions " +
    "VectorIndexes.DistanceFunction VectorIndexes.IndexName VectorIndexes.Projection VectorIndexes.SearchSchema " +
    "VectorIndexes.VectorAttribute",
  "AWS::Events::Rule":
    "Description Name ScheduleExpression State Tags Targets.Arn Targets.DeadLetterConfig Targets.Id Targets.Input " +
    "Targets.RetryPolicy",
  "AWS::IAM::Policy": "*",
  "AWS::IAM::Role": "*",
  "AWS::Lambda::EventInvokeConfig":
    "DestinationConfig.OnFailure FunctionName MaximumEventAgeInSeconds MaximumRetryAttempts Qualifier",
  "AWS::Lambda::EventSourceMapping":
    "BatchSize BisectBatchOnFunctionError DestinationConfig.OnFailure EventSourceArn FilterCriteria FunctionName " +
    "FunctionResponseTypes MaximumBatchingWindowInSeconds MaximumRecordAgeInSeconds MaximumRetryAttempts " +
    "ParallelizationFactor StartingPosition Tags",
  "AWS::Lambda::Function":
    "Architectures Code.S3Bucket Code.S3Key Description Environment.Variables FunctionName Handler " +
    "LoggingConfig MemorySize ReservedConcurrentExecutions Role Runtime Tags Timeout TracingConfig",
  "AWS::Lambda::Permission": "*",
  "AWS::S3::Bucket":
    "BucketEncryption BucketName CorsConfiguration LifecycleConfiguration.Rules.AbortIncompleteMultipartUpload " +
    "LifecycleConfiguration.Rules.ExpirationInDays LifecycleConfiguration.Rules.ExpiredObjectDeleteMarker " +
    "LifecycleConfiguration.Rules.Id LifecycleConfiguration.Rules.NoncurrentVersionExpiration " +
    "LifecycleConfiguration.Rules.Prefix LifecycleConfiguration.Rules.Status LifecycleConfiguration.Rules.Transitions " +
    "LoggingConfiguration OwnershipControls PublicAccessBlockConfiguration Tags VersioningConfiguration",
  "AWS::S3::BucketPolicy": "*",
  "AWS::SQS::Queue": "MessageRetentionPeriod QueueName SqsManagedSseEnabled Tags",
  "AWS::SQS::QueuePolicy": "*",
  "AWS::SecretsManager::Secret": "Description GenerateSecretString KmsKeyId Name Tags",
};

/** Resource types that need nothing on this machine, with the reason. `*` matches the rest of a name. */
const ignored: Record<string, string> = {
  "AWS::ApiGateway::Account": "logs go to the terminal",
  "AWS::ApiGateway::Deployment": "the host serves the API of the template",
  "AWS::Athena::*": "there is no Athena here",
  "AWS::CDK::Metadata": "CDK collects statistics with it",
  "AWS::CloudWatch::*": "there are no alarms and dashboards here",
  "AWS::Cognito::*": "the host issues the tokens of the user pool",
  "AWS::Glue::*": "there is no Athena here",
  "AWS::KMS::*": "the disk belongs to the user",
  "AWS::Logs::*": "logs go to the terminal",
  "AWS::SNS::*": "there are no alarms and dashboards here",
  "AWS::WAFv2::*": "the API listens on loopback only",
  "Custom::S3AutoDeleteObjects": "buckets are deleted with the data directory",
};

/** Warns about resources and properties that the local host does not support. Notes those that need nothing here. */
export function reviewResources(resolver: Resolver, warn: (text: string) => void, note: (text: string) => void): void {
  for (const { type, logicalId, properties } of resolver.resources(...Object.keys(supported))) {
    const known = (supported[type] ?? "").split(" ");
    if (known.includes("*")) continue;
    for (const path of new Set(unknownPaths(known, properties, ""))) {
      warn(`${type} ${logicalId}: the local host does not support ${path} and ignores it`);
    }
  }
  const others = resolver.types().filter(([, type]) => !(type in supported));
  for (const [type, same] of Map.groupBy(others, ([, type]) => type)) {
    const [, reason] =
      Object.entries(ignored).find(
        ([name]) => type === name || (name.endsWith("*") && type.startsWith(name.slice(0, -1))),
      ) ?? [];
    if (reason) note(`ignoring ${type}: ${reason}${same.length > 1 ? ` (${same.length} times)` : ""}`);
    for (const [logicalId] of reason ? [] : same) {
      warn(`${type} ${logicalId}: the local host does not support this type of resource and ignores it`);
    }
  }
}

/** The paths of properties that are not known, below a path that is only known with more parts. */
function unknownPaths(known: readonly string[], value: unknown, path: string): string[] {
  return [value].flat().flatMap((item) =>
    Object.entries((item ?? {}) as object).flatMap(([name, inner]) => {
      const at = path === "" ? name : `${path}.${name}`;
      if (known.includes(at)) return [];
      return known.some((each) => each.startsWith(`${at}.`)) ? unknownPaths(known, inner, at) : [at];
    }),
  );
}
