import { REGION } from "../assembly/physical.ts";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

/** The local endpoints of the services that functions call. */
export interface ServiceEndpoints {
  dynamodb?: string | undefined;
  s3?: string | undefined;
  sqs?: string | undefined;
  lambda?: string | undefined;
  secrets?: string | undefined;
  userPool?: string | undefined;
}

/**
 * The environment of a function: the variables of the template and those of Lambda's runtime. It contains neither the host's variables
 * nor the user's AWS profile.
 */
export function lambdaEnvironment(
  spec: { name: string; directory: string; handler: string; memory: number; environment: Record<string, string> },
  endpoints: ServiceEndpoints,
  credentials: Credentials,
): Record<string, string> {
  return {
    ...spec.environment,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memory),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: "local",
    LAMBDA_TASK_ROOT: spec.directory,
    _HANDLER: spec.handler,
    LANG: "en_US.UTF-8",
    PATH: "/usr/local/bin:/usr/bin/:/bin",
    TZ: ":UTC",
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    // Keep the SDK from reading the user's ~/.aws.
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    ...endpointVariables(endpoints),
  };
}

function endpointVariables(endpoints: ServiceEndpoints): Record<string, string> {
  const { dynamodb, s3, sqs, lambda, secrets, userPool } = endpoints;
  return {
    ...(dynamodb && { AWS_ENDPOINT_URL_DYNAMODB: dynamodb, AWS_ENDPOINT_URL_DYNAMODB_STREAMS: dynamodb }),
    ...(s3 && { AWS_ENDPOINT_URL_S3: s3 }),
    ...(sqs && { AWS_ENDPOINT_URL_SQS: sqs }),
    ...(lambda && { AWS_ENDPOINT_URL_LAMBDA: lambda }),
    ...(secrets && { AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets }),
    ...(userPool && { AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: userPool }),
  };
}
