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
import type { Construct } from "constructs";
import { type Operation, operations } from "../../shared/http/operations.ts";
import { type FunctionName, type FunctionSpec, functions } from "../functions.ts";
import type { Options } from "../stage.ts";
import { accessLogFields } from "./access-log.ts";
import { addFirewall } from "./firewall.ts";
import { MemochaFunction, type Runtimes } from "./function.ts";
import { addGatewayResponses } from "./gateway-responses.ts";
import { acknowledge } from "./nag.ts";
import { addPreflights } from "./preflight.ts";

/** How long the gateway remembers what the authorizer said of a token; handlers check its expiry themselves. */
const AUTHORIZER_CACHE = Duration.seconds(60);

/** One run of token characters after the scheme: anything else is answered with 401 before any function runs. */
const BEARER = "^[Bb][Ee][Aa][Rr][Ee][Rr] +[-0-9A-Za-z._~+/]+=*$";

/** The HTTP API: one REST API, a function an operation, an authorizer before all that are not public. */
export class ApiStack extends Stack {
  readonly api: RestApi;

  constructor(scope: Construct, id: string, props: Runtimes & StackProps) {
    super(scope, id, props);
    const { options } = props;
    this.api = this.restApi(options);
    addGatewayResponses(this.api, options.corsOrigins);

    const authorizer = this.authorizer(props);
    for (const [name, spec] of Object.entries(functions) as [FunctionName, FunctionSpec][]) {
      const { trigger } = spec;
      if (trigger.kind !== "http") continue;
      const operation: Operation = operations[trigger.operation];
      const { lambda } = new MemochaFunction(this, name, props);
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
      // Bodies reach handlers as the bytes they are: as text, what is not UTF-8 would become U+FFFD unseen.
      binaryMediaTypes: ["application/json"],
      // The role by which API Gateway writes logs is one for the whole account and region. It stays when a stage goes:
      // the other stage's logs would stop with it.
      cloudWatchRole: true,
      deployOptions: {
        stageName: stage.name,
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
        // Execution logs of errors only, and never bodies.
        loggingLevel: MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        metricsEnabled: false,
        tracingEnabled: true,
        throttlingRateLimit: stage.throttle.rate,
        throttlingBurstLimit: stage.throttle.burst,
      },
    });
    api.node.tryRemoveChild("Endpoint");

    // API Gateway would make this log group itself, and keep it forever.
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

  private authorizer(props: Runtimes): TokenAuthorizer {
    const { lambda } = new MemochaFunction(this, "auth-authorizer", props);
    return new TokenAuthorizer(this, "Authorizer", {
      handler: lambda,
      identitySource: IdentitySource.header("Authorization"),
      validationRegex: BEARER,
      resultsCacheTtl: AUTHORIZER_CACHE,
    });
  }
}

/** A function that streams has as long as it says: the 29 seconds of the REST API are for answers that come whole. */
const integrationOf = ({ streams, timeout = 29 }: FunctionSpec): LambdaIntegrationOptions => ({
  allowTestInvoke: false,
  ...(streams ? { responseTransferMode: ResponseTransferMode.STREAM, timeout: Duration.seconds(timeout) } : {}),
});
