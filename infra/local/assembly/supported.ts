/** `true` = supported; a text = the reason why it needs nothing here; an object = its supported properties or values. */
export type Support = true | string | { [property: string]: Support };

const name = "the host uses the name as given";
const described = "descriptions have no effect";
const tags = "tags are for billing";
const encryption = "the disk belongs to the user";
const logs = "logs go to the terminal";
const tracing = "the local host keeps no traces";

/** The properties that the local host supports, by resource type. Others cause a warning. */
export const supported: Record<string, Record<string, Support>> = {
  "AWS::Lambda::Function": {
    FunctionName: name,
    Code: { S3Bucket: "the host reads assets from the assembly", S3Key: true },
    Handler: true,
    Runtime: true,
    Environment: { Variables: true },
    Timeout: true,
    MemorySize: true,
    ReservedConcurrentExecutions: true,
    Architectures: "JavaScript runs on every processor",
    Description: described,
    EphemeralStorage: "functions use /tmp of this machine",
    LoggingConfig: logs,
    Role: true,
    Tags: tags,
    TracingConfig: tracing,
  },
  "AWS::Lambda::EventInvokeConfig": {
    FunctionName: true,
    MaximumRetryAttempts: true,
    DestinationConfig: { OnFailure: true },
    Qualifier: "there is only one version",
    MaximumEventAgeInSeconds: "all local retries happen within a few minutes",
  },
  // events/mapping.ts warns about properties of mappings, and dynamodb/table-properties.ts about those of tables.
  "AWS::Lambda::EventSourceMapping": anything(),
  "AWS::DynamoDB::Table": anything(),
  "AWS::DynamoDB::GlobalTable": anything(),
  // Unsupported elements of policies are errors: see iam/.
  "AWS::IAM::Policy": anything(),
  "AWS::IAM::Role": anything(),
  "AWS::Lambda::Permission": anything(),
  "AWS::S3::BucketPolicy": anything(),
  "AWS::SQS::QueuePolicy": anything(),
  "AWS::S3::Bucket": {
    BucketName: name,
    VersioningConfiguration: "the host keeps the current version of an object only",
    CorsConfiguration: true,
    LifecycleConfiguration: {
      Rules: {
        Id: name,
        Status: true,
        Prefix: true,
        ExpirationInDays: true,
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: true },
        ExpiredObjectDeleteMarker: "the host keeps the current version of an object only",
        NoncurrentVersionExpiration: "the host keeps the current version of an object only",
        Transitions: "there are no storage classes here",
      },
    },
    BucketEncryption: encryption,
    PublicAccessBlockConfiguration: "the server listens on loopback only",
    OwnershipControls: "the host owns every object",
    LoggingConfiguration: logs,
    Tags: "CDK sets them for itself",
  },
  "AWS::SecretsManager::Secret": {
    Name: name,
    Description: described,
    GenerateSecretString: true,
    KmsKeyId: encryption,
    Tags: tags,
  },
  "AWS::SQS::Queue": {
    QueueName: name,
    MessageRetentionPeriod: "messages stay until they are deleted",
    SqsManagedSseEnabled: encryption,
    KmsMasterKeyId: encryption,
    Tags: tags,
  },
  "AWS::Events::Rule": {
    Name: name,
    Description: described,
    ScheduleExpression: true,
    State: true,
    Tags: tags,
    Targets: {
      Arn: true,
      Id: name,
      Input: true,
      DeadLetterConfig: true,
      RetryPolicy: "delivery to a function on this machine does not fail",
    },
  },
  "AWS::ApiGateway::RestApi": {
    Name: name,
    Description: described,
    BinaryMediaTypes: true,
    EndpointConfiguration: "the endpoint listens on loopback",
    DisableExecuteApiEndpoint: "the endpoint listens on loopback",
    Tags: tags,
  },
  "AWS::ApiGateway::Resource": { ParentId: true, PathPart: true, RestApiId: true },
  "AWS::ApiGateway::Method": {
    ApiKeyRequired: { false: true },
    AuthorizationType: true,
    AuthorizerId: true,
    HttpMethod: true,
    OperationName: true,
    RequestParameters: true,
    RequestValidatorId: true,
    RequestModels: "handlers validate bodies; a validator for bodies causes a warning",
    ResourceId: true,
    RestApiId: true,
    MethodResponses: "they describe the API for SDKs",
    Integration: {
      Type: true,
      Uri: true,
      IntegrationHttpMethod: "functions are called directly",
      TimeoutInMillis: true,
      ResponseTransferMode: "the Uri says the same",
      ContentHandling: true,
      IntegrationResponses: true,
      RequestTemplates: true,
      PassthroughBehavior: "proxy integrations pass everything, and mocks read no body",
      Credentials: true,
    },
  },
  "AWS::ApiGateway::Authorizer": {
    Name: name,
    Type: true,
    AuthorizerUri: true,
    AuthorizerResultTtlInSeconds: true,
    AuthorizerCredentials: true,
    IdentitySource: true,
    IdentityValidationExpression: true,
    RestApiId: true,
  },
  "AWS::ApiGateway::GatewayResponse": {
    ResponseType: true,
    StatusCode: true,
    ResponseParameters: true,
    ResponseTemplates: true,
    RestApiId: true,
  },
  "AWS::ApiGateway::RequestValidator": {
    Name: name,
    RestApiId: true,
    ValidateRequestBody: true,
    ValidateRequestParameters: true,
  },
  "AWS::ApiGateway::Stage": {
    StageName: true,
    RestApiId: true,
    DeploymentId: "there is only one deployment",
    Description: described,
    Variables: true,
    AccessLogSetting: "the terminal shows a line per request",
    TracingEnabled: tracing,
    Tags: tags,
    MethodSettings: {
      HttpMethod: true,
      ResourcePath: true,
      ThrottlingRateLimit: true,
      ThrottlingBurstLimit: true,
      DataTraceEnabled: logs,
      LoggingLevel: logs,
      MetricsEnabled: "the local host keeps no metrics",
    },
  },
};

/** Resource types that need nothing on this machine, with the reason. `*` matches the rest of a name. */
export const ignored: Record<string, string> = {
  "AWS::ApiGateway::Account": logs,
  "AWS::ApiGateway::Deployment": "the host serves the API of the template",
  "AWS::ApiGateway::Model": "handlers validate bodies",
  "AWS::ApiGateway::UsagePlan*": "requests are not metered here",
  "AWS::ApiGateway::ApiKey": "requests are not metered here",
  "AWS::Athena::*": "there is no Athena here",
  "AWS::Glue::*": "there is no Athena here",
  "AWS::CDK::Metadata": "CDK collects statistics with it",
  "AWS::CloudWatch::*": "there are no alarms and dashboards here",
  "AWS::Cognito::*": "the host issues the tokens of the user pool",
  "AWS::KMS::*": encryption,
  "AWS::Lambda::LayerVersion": "bundles are complete",
  "AWS::Logs::*": logs,
  "AWS::SNS::*": "there are no alarms and dashboards here",
  "AWS::WAFv2::*": "the API listens on loopback only",
  "Custom::S3AutoDeleteObjects": "buckets are deleted with the data directory",
};

function anything(): Record<string, Support> {
  return { "*": true };
}
