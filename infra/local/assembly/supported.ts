/** `true` = it works here; a text = it has nothing to do here, and why; an object = its own properties. */
export type Understanding = true | string | { [property: string]: Understanding };

const name = "the name is used as it is given";
const described = "a description";
const tags = "nobody is billed here";
const accounts = "everybody who signs in to AWS is somebody else here";
const encryption = "the disk is the user's own";
const logs = "logs go to the terminal";
const tracing = "no traces are kept here";

/** What the local host runs, property by property. What is not listed is named in a warning. */
export const hosted: Record<string, Record<string, Understanding>> = {
  "AWS::Lambda::Function": {
    FunctionName: name,
    Code: { S3Bucket: "assets are read from the assembly", S3Key: true },
    Handler: true,
    Runtime: true,
    Environment: { Variables: true },
    Timeout: true,
    MemorySize: true,
    ReservedConcurrentExecutions: true,
    DeadLetterConfig: true,
    Architectures: "bundles are JavaScript, whatever the processor",
    Description: described,
    EphemeralStorage: "/tmp is the machine's own",
    LoggingConfig: logs,
    Role: true,
    Tags: tags,
    TracingConfig: tracing,
  },
  "AWS::Lambda::EventInvokeConfig": {
    FunctionName: true,
    MaximumRetryAttempts: true,
    DestinationConfig: { OnFailure: true },
    Qualifier: "there is one version here",
    MaximumEventAgeInSeconds: "the local retries all fall within its minimum and a few minutes",
  },
  // Its properties are read, and warned about, where it is polled.
  "AWS::Lambda::EventSourceMapping": anything(),
  "AWS::DynamoDB::Table": anything(),
  "AWS::DynamoDB::GlobalTable": anything(),
  // What is not understood in a policy is an error: see iam/.
  "AWS::IAM::ManagedPolicy": anything(),
  "AWS::IAM::Policy": anything(),
  "AWS::IAM::Role": anything(),
  "AWS::IAM::RolePolicy": anything(),
  "AWS::Lambda::Permission": anything(),
  "AWS::S3::BucketPolicy": anything(),
  "AWS::SQS::QueuePolicy": anything(),
  "AWS::SecretsManager::ResourcePolicy": anything(),
  "AWS::S3::Bucket": {
    BucketName: name,
    VersioningConfiguration: { Status: true },
    LifecycleConfiguration: true,
    BucketEncryption: encryption,
    PublicAccessBlockConfiguration: "the server listens on loopback only",
    OwnershipControls: "the host owns every object",
    LoggingConfiguration: logs,
    Tags: "CDK's own marks",
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
    MessageRetentionPeriod: "messages stay until they are taken",
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
  "AWS::Scheduler::Schedule": {
    Name: name,
    Description: described,
    ScheduleExpression: true,
    State: true,
    FlexibleTimeWindow: "it fires on time",
    Target: {
      Arn: true,
      Input: true,
      RoleArn: true,
      DeadLetterConfig: true,
      RetryPolicy: "delivery to a function on this machine does not fail",
    },
  },
  "AWS::ApiGateway::RestApi": {
    Name: name,
    Description: described,
    BinaryMediaTypes: true,
    EndpointConfiguration: "the endpoint is on loopback",
    DisableExecuteApiEndpoint: "the endpoint is on loopback",
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
    RequestModels: "handlers validate bodies; a validator that would is named in a warning",
    ResourceId: true,
    RestApiId: true,
    MethodResponses: "API Gateway uses them for SDKs; a mock's headers are in its integration",
    Integration: {
      Type: true,
      Uri: true,
      IntegrationHttpMethod: "functions are called directly",
      TimeoutInMillis: true,
      ResponseTransferMode: "the Uri says it too",
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
    DeploymentId: "there is one deployment here",
    Description: described,
    Variables: true,
    AccessLogSetting: "the terminal has a line for each request",
    TracingEnabled: tracing,
    Tags: tags,
    MethodSettings: {
      HttpMethod: true,
      ResourcePath: true,
      ThrottlingRateLimit: true,
      ThrottlingBurstLimit: true,
      DataTraceEnabled: logs,
      LoggingLevel: logs,
      MetricsEnabled: "no metrics are kept here",
    },
  },
};

/** Types that are understood and have nothing to run on this machine, and why. `*` stands for the rest of a name. */
export const inert: Record<string, string> = {
  "AWS::ApiGateway::Account": logs,
  "AWS::ApiGateway::Deployment": "the API is served as the template has it",
  "AWS::ApiGateway::Model": "handlers validate bodies",
  "AWS::ApiGateway::UsagePlan*": "nobody is metered here",
  "AWS::ApiGateway::ApiKey": "nobody is metered here",
  "AWS::Athena::*": "DuckDB queries the lake on this machine",
  "AWS::Glue::*": "DuckDB queries the lake on this machine",
  "AWS::CDK::Metadata": "CDK's own statistics",
  "AWS::CloudWatch::*": "alarms and dashboards have nobody to page",
  "AWS::Cognito::*": "the host issues tokens in the user pool's place",
  "AWS::IAM::*": accounts,
  "AWS::KMS::*": encryption,
  "AWS::Lambda::LayerVersion": "bundles are complete",
  "AWS::Logs::*": logs,
  "AWS::SNS::*": "alarms and dashboards have nobody to page",
  "AWS::WAFv2::*": "the gateway listens on loopback only",
  "Custom::S3AutoDeleteObjects": "buckets go with the data directory",
};

function anything(): Record<string, Understanding> {
  return { "*": true };
}
