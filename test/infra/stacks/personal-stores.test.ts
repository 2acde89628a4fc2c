import { expect, it } from "vitest";
import { places } from "../../../shared/privacy/registry.ts";
import { resourcesOf, synthesize } from "../synthesize.ts";

/** Resources that keep data, by the end of their construct path, and the places of the registry that cover them. */
const stores: [type: string, path: RegExp, covered: string[]][] = [
  [
    "AWS::DynamoDB::Table",
    /\/(Conversations|Metrics|Audit|AuditOutbox|Exports)\//,
    ["messages", "backups", "stream records"],
  ],
  [
    "AWS::S3::Bucket",
    /\/Archive\//,
    ["archived sessions", "contents of files", "contents of exports", "rows of the lake"],
  ],
  ["AWS::S3::Bucket", /\/QueryResults\//, ["query results"]],
  ["AWS::S3::Bucket", /\/AccessLogs\//, ["access logs"]],
  ["AWS::SQS::Queue", /\/DeadLetters\//, ["dead letters"]],
  ["AWS::Logs::LogGroup", /\/(Logs|AccessLog|ExecutionLog|FirewallLog)\//, ["logs"]],
  ["AWS::Cognito::UserPool", /\/Users\//, ["account"]],
];

/** Types of resources that keep no data of users. */
const impersonal =
  /^AWS::(ApiGateway|Athena|CDK|CloudWatch|Glue|IAM|KMS|Lambda|SecretsManager|SNS|WAFv2|Events::Rule$|S3::BucketPolicy$|SQS::QueuePolicy$|Logs::ResourcePolicy$|Cognito::(UserPoolClient|UserPoolDomain|UserPoolGroup|UserPoolResourceServer)$)/;

it("the registry of personal data covers every resource of the templates that keeps data", () => {
  const templates = synthesize({ stage: "prod", waf: "true", cmk: "true", backendClient: "true" });
  const names: string[] = places.map(({ name }) => name);
  for (const template of Object.values(templates)) {
    const types = new Set(
      Object.values(template.toJSON().Resources ?? {}).map((each) => (each as { Type: string }).Type),
    );
    for (const type of types) {
      if (impersonal.test(type)) continue;
      for (const { Metadata } of Object.values(resourcesOf(template, type))) {
        const path = Metadata["aws:cdk:path"];
        const [, , covered] = stores.find(([ofType, ofPath]) => ofType === type && ofPath.test(path)) ?? [];
        expect([type, path, covered]).toEqual([type, path, expect.any(Array)]);
        expect(covered?.filter((name) => !names.includes(name))).toEqual([]);
      }
    }
  }
});
