import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import {
  AccessLogFormat,
  AuthorizationType,
  EndpointType,
  IdentitySource,
  LambdaIntegration,
  type LambdaIntegrationOptions,
  LogGroupLogDestination,
  MethodLoggingLevel,
  ResponseTransferMode,
  RestApi,
  TokenAuthorizer,
} from "aws-cdk-lib/aws-apigateway";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { type Operation, operations } from "../../shared/http/operations.ts";
import type { FunctionSpec } from "../function-spec.ts";
import { type FunctionName, functions } from "../functions.ts";
import type { Options } from "../stage.ts";
import { addFirewall } from "./firewall.ts";
import { addGatewayResponses } from "./gateway-responses.ts";
import { MemochaFunction, type Runtimes } from "./memocha-function.ts";
import { acknowledge } from "./nag.ts";
import { PageClient, stageUrl } from "./page-client.ts";
import { addPreflights } from "./preflight.ts";
import { refuseMethods } from "./refuse-methods.ts";

/** How long the gateway caches the authorizer's answer for a token. Handlers check the token's expiry themselves. */
const AUTHORIZER_CACHE = Duration.seconds(60);

/** The scheme and the token. The gateway answers any other header with 401, and no function runs. */
const BEARER = "^[Bb][Ee][Aa][Rr][Ee][Rr] +[-0-9A-Za-z._~+/]+=*$";

/**
 * A line of the access log, as API Gateway's context variables. It has routes instead of paths, and no user or address, so that it contains
 * no personal data.
 */
const accessLogFields = {
  request_id: "$context.requestId",
  trace_id: "$context.xrayTraceId",
  time: "$context.requestTimeEpoch",
  method: "$context.httpMethod",
  route: "$context.resourcePath",
  operation: "$context.operationName",
  status: "$context.status",
  latency_ms: "$context.responseLatency",
  integration_latency_ms: "$context.integration.latency",
  integration_status: "$context.integration.integrationStatus",
  authorizer_latency_ms: "$context.authorizer.latency",
  authorizer_status: "$context.authorizer.status",
  response_bytes: "$context.responseLength",
  error: "$context.error.responseType",
} as const;

interface ApiProps extends Runtimes, StackProps {
  /** The queue of events on which a function failed. */
  deadLetters: Queue;
}

/** The HTTP API: one REST API with a function per operation, and an authorizer for all operations that are not public. */
export class ApiStack extends Stack {
  readonly api: RestApi;

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id, props);
    const { options } = props;
    this.api = this.restApi(options);
    const [publicUrl = stageUrl(this.api, options)] = options.pageUrls;
    addGatewayResponses(this.api, options.corsOrigins, publicUrl);

    const page = options.page ? new PageClient(this, "Page", { ...props, api: this.api }) : undefined;
    const authorizer = this.authorizer(props, page);
    for (const [name, spec] of Object.entries(functions) as [FunctionName, FunctionSpec][]) {
      const { trigger } = spec;
      if (trigger.kind !== "http" || (spec.page && !options.page)) continue;
      const operation: Operation = operations[trigger.operation];
      const made = new MemochaFunction(this, name, props);
      const { lambda } = made;
      made.useDeadLetters(props.deadLetters);
      if (page && name === "page-get") page.configure(lambda);
      if (page && spec.issuer) page.configureMcp(lambda);
      const method = this.api.root
        .resourceForPath(operation.path)
        .addMethod(operation.method, new LambdaIntegration(lambda, integrationOf(spec)), {
          operationName: trigger.operation,
          ...(operation.access === "public"
            ? { authorizationType: AuthorizationType.NONE }
            : { authorizationType: AuthorizationType.CUSTOM, authorizer }),
        });
      acknowledge(method, {
        COG4: "The Lambda authorizer checks tokens of any OpenID Connect issuer, Cognito among them.",
        ...(operation.access === "public" ? { APIG4: `${trigger.operation} is public by the API's contract.` } : {}),
      });
    }
    refuseMethods(this.api.root.resourceForPath(operations.callMcp.path), options.corsOrigins);
    addPreflights(this.api, options.corsOrigins);
    if (options.waf) addFirewall(this, this.api);

    new CfnOutput(this, "ApiUrl", { value: this.api.url });
  }

  private restApi({ stage }: Options): RestApi {
    const accessLog = new LogGroup(this, "AccessLog", {
      retention: stage.logRetention,
      removalPolicy: stage.removalPolicy,
    });
    const api = new RestApi(this, "Api", {
      restApiName: `memocha-${stage.name}`,
      description: "Memocha: conversations",
      endpointTypes: [EndpointType.REGIONAL],
      // Handlers get bodies as bytes. In text, the gateway would replace invalid UTF-8 by U+FFFD, and no handler could notice it.
      binaryMediaTypes: ["application/json"],
      // API Gateway has one role for logs per account and region. The CDK keeps the role when a stage is destroyed, because the
      // logs of the other stages need it.
      cloudWatchRole: true,
      deployOptions: {
        stageName: stage.name,
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
        // Execution logs have errors only, and no bodies.
        loggingLevel: MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        metricsEnabled: false,
        tracingEnabled: true,
        throttlingRateLimit: stage.throttle.rate,
        throttlingBurstLimit: stage.throttle.burst,
      },
    });
    api.node.tryRemoveChild("Endpoint");

    // Otherwise API Gateway creates this log group itself, and keeps it forever.
    const executionLog = new LogGroup(this, "ExecutionLog", {
      logGroupName: `API-Gateway-Execution-Logs_${api.restApiId}/${stage.name}`,
      retention: stage.logRetention,
      removalPolicy: stage.removalPolicy,
    });
    api.deploymentStage.node.addDependency(executionLog);

    acknowledge(api, {
      APIG2: "Handlers validate every request with the schemas that OpenAPI is generated from, and name the field.",
    });
    acknowledge(api.node.findChild("CloudWatchRole"), {
      "IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]":
        "AWS's own policy for this role; it serves every API of the account.",
    });
    acknowledge(api.deploymentStage, {
      APIG3: "A web ACL costs $5 a month and more: an option (-c waf=true), as the goal is an idle cost under $1.",
    });
    return api;
  }

  private authorizer(props: Runtimes, page: PageClient | undefined): TokenAuthorizer {
    const { lambda } = new MemochaFunction(this, "auth-authorizer", props);
    page?.accept(lambda);
    return new TokenAuthorizer(this, "Authorizer", {
      handler: lambda,
      identitySource: IdentitySource.header("Authorization"),
      validationRegex: BEARER,
      resultsCacheTtl: AUTHORIZER_CACHE,
    });
  }
}

/** Streams from a streaming function for up to its timeout. For other functions, the limit of the REST API is 29 seconds. */
function integrationOf({ streams, timeout = 29 }: FunctionSpec): LambdaIntegrationOptions {
  return {
    allowTestInvoke: false,
    ...(streams && { responseTransferMode: ResponseTransferMode.STREAM, timeout: Duration.seconds(timeout) }),
  };
}
