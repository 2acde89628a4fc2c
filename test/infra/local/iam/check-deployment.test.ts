import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { TemplateResource } from "../../../../infra/local/assembly/read-assembly.ts";
import { type Host, startHost } from "../../../../infra/local/host.ts";
import type { Log } from "../../../../infra/local/log.ts";
import {
  type Fixture,
  type FixtureFunction,
  invokePermission,
  roleOf,
  temporaryDirectory,
  writeAssembly,
} from "../fixture-assembly.ts";

// The permissions that AWS checks outside the calls of functions: deployments, event sources, destinations, schedules, API.

const temporary = temporaryDirectory();
const data = path.join(temporary.directory, "data");
const assembly = path.join(temporary.directory, "assembly");
const said: string[] = [];
const log: Log = {
  info: () => {},
  detail: () => {},
  warn: (text) => void said.push(text),
  error: (text) => void said.push(text),
  request: ({ cause }) => void (cause && said.push(cause)),
};
let host: Host | undefined;

afterEach(async () => {
  await host?.stop();
  host = undefined;
  said.length = 0;
  rmSync(data, { recursive: true, force: true });
});
afterAll(temporary.remove);

async function start(fixture: Fixture, scheduleEvery?: number): Promise<Host> {
  rmSync(assembly, { recursive: true, force: true });
  writeAssembly(assembly, fixture);
  host = await startHost({ data, assembly, port: 0, log, ...(scheduleEvery && { scheduleEvery }) });
  return host;
}

const code = "export const handler = async () => ({ statusCode: 204 });";
const att = (id: string, name = "Arn") => ({ "Fn::GetAtt": [id, name] });
const allow = (Action: string | string[], Resource: unknown) => ({ Effect: "Allow", Action, Resource });
const table: TemplateResource = {
  Type: "AWS::DynamoDB::Table",
  Properties: {
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
    BillingMode: "PAY_PER_REQUEST",
    StreamSpecification: { StreamViewType: "KEYS_ONLY" },
  },
};
const queue: TemplateResource = { Type: "AWS::SQS::Queue", Properties: {} };
const because = (who: string, action: string, resource: string) =>
  `User: arn:aws:sts::000000000000:assumed-role/Fixture-${who}Role/${who} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;

describe("the host does not start a deployment that AWS rejects", () => {
  const streams = ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"];
  const mapped = (policy: object[], more: object = {}): Fixture => ({
    functions: { job: { code, policy } },
    resources: {
      Table: table,
      Queue: queue,
      Mapping: {
        Type: "AWS::Lambda::EventSourceMapping",
        Properties: {
          EventSourceArn: att("Table", "StreamArn"),
          FunctionName: { Ref: "job" },
          StartingPosition: "TRIM_HORIZON",
          ...more,
        },
      },
    },
  });
  const reading = [allow(streams, att("Table", "StreamArn")), allow("dynamodb:ListStreams", "*")];

  test.each([...streams, "dynamodb:ListStreams"])("because a role that reads a stream lacks %s", async (lacking) => {
    const actions = [...streams, "dynamodb:ListStreams"].filter((action) => action !== lacking);
    await expect(start(mapped([allow(actions, "*")]))).rejects.toThrow(
      /Mapping: AWS refuses the deployment: Cannot access stream arn:aws:dynamodb:\S+\. Please ensure the role can perform/,
    );
    await expect(start(mapped(reading))).resolves.toBeDefined();
  });

  test("because a role may not send to the destination of a stream", async () => {
    const DestinationConfig = { OnFailure: { Destination: att("Queue") } };
    const arn = "arn:aws:sqs:us-east-1:000000000000:Fixture-Queue";
    await expect(start(mapped(reading, { DestinationConfig }))).rejects.toThrow(
      `does not have permissions to call sqs:sendmessage on ${arn}. ${because("job", "sqs:sendmessage", arn)}`,
    );
    await start(mapped([...reading, allow("sqs:SendMessage", att("Queue"))], { DestinationConfig }));
  });

  test("because a role may not send to the destination of asynchronous calls", async () => {
    const failures: TemplateResource = {
      Type: "AWS::Lambda::EventInvokeConfig",
      Properties: { FunctionName: { Ref: "job" }, DestinationConfig: { OnFailure: { Destination: att("Queue") } } },
    };
    const fixture = (policy: object[]): Fixture => ({
      functions: { job: { code, policy } },
      resources: { Queue: queue, Failures: failures },
    });
    await expect(start(fixture([allow("sqs:ReceiveMessage", "*")]))).rejects.toThrow("Failures: AWS refuses");
    await start(fixture([allow("sqs:*", att("Queue"))]));
  });

  test("because a role may not write the traces of its function", async () => {
    const traced = (...policy: object[]): FixtureFunction => ({
      code,
      policy,
      properties: { TracingConfig: { Mode: "Active" } },
    });
    await expect(start({ functions: { job: traced() } })).rejects.toThrow("to call PutTraceSegments on XRAY");
    await start({ functions: { job: traced(allow("xray:Put*", "*")) } });
  });

  test("because a function has no role, or one that Lambda cannot assume", async () => {
    const properties = { Role: "arn:aws:iam::000000000000:role/none" };
    await expect(start({ functions: { job: { code, properties } } })).rejects.toThrow("is not in the template");
    const resources = { other: roleOf("ec2.amazonaws.com", []) };
    const given = { code, properties: { Role: att("other") } };
    await expect(start({ functions: { job: given }, resources })).rejects.toThrow("cannot be assumed by Lambda");
  });

  test.each([
    ["operator", { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, "aws:SourceIp"],
    ["operator", { DateLessThan: { "s3:prefix": "x" } }, "the condition operator DateLessThan"],
    ["key", { StringEquals: { "aws:MultiFactorAuthPresent": "true" } }, "aws:MultiFactorAuthPresent"],
    ["key", { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": "own-*" } }, "dynamodb:LeadingKeys"],
    ["variable", { StringLike: { "s3:prefix": `\${aws:username}/*` } }, `the policy variable \${aws:username}`],
  ])("because a policy has a condition %s that the host does not know: %o", async (_kind, Condition, named) => {
    const policy = [{ ...allow("s3:GetObject", "*"), Condition }];
    await expect(start({ functions: { job: { code, policy } } })).rejects.toThrow(
      `jobRole, policy policy, statement 1: the local host does not understand ${named.startsWith("the") ? "" : "the condition key "}${named}`,
    );
  });
});

describe("on a started host", () => {
  test("a warning names a function whose role may not write logs", async () => {
    const resources = { other: roleOf("lambda.amazonaws.com", []) };
    delete resources.other.Properties?.ManagedPolicyArns;
    await start({ functions: { job: { code, properties: { Role: att("other") } } }, resources });
    expect(said).toEqual([
      expect.stringMatching(/function job: AWS would lose its logs\. .*logs:CreateLogStream/),
      expect.stringMatching(/function job: AWS would lose its logs\. .*logs:PutLogEvents/),
    ]);
  });

  test("the gateway answers 500 for a function that it may not invoke", async () => {
    const elsewhere = { "Fn::Sub": `arn:aws:execute-api:\${AWS::Region}:\${AWS::AccountId}:\${Api}/test/POST/open` };
    const { url } = await start({
      functions: { open: code, closed: code },
      routes: [
        { method: "GET", path: "/open", function: "open" },
        { method: "GET", path: "/closed", function: "closed" },
      ],
      resources: { closedGateway: invokePermission("closed", "apigateway.amazonaws.com", elsewhere) },
    });
    expect((await fetch(`${url}/open`)).status).toBe(204);
    expect((await fetch(`${url}/closed`)).status).toBe(500);
    expect(said.join()).toContain(
      "User: apigateway.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:closed because no resource-based policy allows",
    );
  });

  test("the gateway answers 500 when it may not invoke the authorizer", async () => {
    const { url } = await start({
      functions: { open: code, authorizer: code },
      routes: [{ method: "GET", path: "/open", function: "open", authorizer: true }],
      authorizer: {},
      resources: { authorizerGateway: invokePermission("authorizer", "events.amazonaws.com") },
    });
    expect((await fetch(`${url}/open`, { headers: { authorization: "Bearer x" } })).status).toBe(500);
  });

  test("a rule that may not invoke its function sends the event to its dead-letter queue", async () => {
    const rule = (name: string): TemplateResource => ({
      Type: "AWS::Events::Rule",
      Properties: {
        ScheduleExpression: "rate(1 day)",
        Targets: [{ Id: "0", Arn: att("job"), Input: `"${name}"`, DeadLetterConfig: { Arn: att("Queue") } }],
      },
    });
    const started = await start(
      {
        functions: { job: code },
        resources: {
          Queue: queue,
          Kept: rule("kept"),
          Lost: rule("lost"),
          QueuePolicy: {
            Type: "AWS::SQS::QueuePolicy",
            Properties: {
              Queues: [{ Ref: "Queue" }],
              PolicyDocument: {
                Statement: {
                  ...allow("sqs:SendMessage", att("Queue")),
                  Principal: { Service: "events.amazonaws.com" },
                  Condition: { ArnEquals: { "aws:SourceArn": att("Kept") } },
                },
              },
            },
          },
        },
      },
      1,
    );
    await expect.poll(() => said.join("\n")).toMatch(/schedule Lost: its event is lost/);
    const { ReceiveMessageCommand, SQSClient } = await import("@aws-sdk/client-sqs");
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const sqs = new SQSClient({ endpoint: started.endpoints.sqs, region: "us-east-1", credentials });
    const QueueUrl = started.names("AWS::SQS::Queue").Queue;
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }));
    sqs.destroy();
    expect(Messages.map(({ Body }) => Body)).toEqual(['"kept"']);
  });
});
