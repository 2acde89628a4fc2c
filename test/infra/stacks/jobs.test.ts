import { describe, expect, it } from "vitest";
import { functions } from "../../../infra/functions.ts";
import { newSessionRecords } from "../../../infra/stream-filters.ts";
import { onlyResource, resourcesOf, synthesize } from "../synthesize.ts";

const { jobs } = synthesize({ stage: "prod" });

describe("the jobs of a deployment with other periods", () => {
  const other = synthesize({ stage: "prod", "retention.archive": "400d", "retention.deadLetters": "3d" });

  it("keep dead letters for its period", () => {
    const [queue] = Object.values(resourcesOf(other.jobs, "AWS::SQS::Queue"));
    expect(queue?.Properties.MessageRetentionPeriod).toBe(3 * 86_400);
  });

  it("read the periods from their environment, as all its functions do", () => {
    for (const stack of [other.jobs, other.api]) {
      for (const { Properties } of Object.values(resourcesOf(stack, "AWS::Lambda::Function"))) {
        const { MEMOCHA_STAGE, RETENTION } = Properties.Environment?.Variables ?? {};
        if (MEMOCHA_STAGE) expect(JSON.parse(RETENTION)).toEqual({ archive: 400 * 86_400, deadLetters: 3 * 86_400 });
      }
    }
  });
});
const deadLetters = { "Fn::GetAtt": [expect.stringMatching(/^DeadLetters/), "Arn"] };

describe("the archiver", () => {
  const mapping = onlyResource(jobs, "AWS::Lambda::EventSourceMapping", "/jobs-archive/").Properties;
  const { trigger } = functions["jobs-archive"];

  it("is invoked by TTL deletions of session headers and files, and by the records that follow a change of the archive", () => {
    const patterns = mapping.FilterCriteria.Filters.map(({ Pattern }: { Pattern: string }) => JSON.parse(Pattern));
    expect(patterns).toEqual([
      {
        eventName: ["REMOVE"],
        userIdentity: { type: ["Service"], principalId: ["dynamodb.amazonaws.com"] },
        dynamodb: { Keys: { sk: { S: ["Z", { prefix: "F#" }] } } },
      },
      { dynamodb: { Keys: { sk: { S: ["Z"] } }, NewImage: { status: { S: ["archived"] } } } },
      {
        dynamodb: {
          Keys: { sk: { S: ["A"] } },
          OldImage: { cleanup: { BOOL: [true] } },
          NewImage: { cleanup: { BOOL: [false] } },
        },
      },
      { dynamodb: { Keys: { sk: { S: ["A"] } }, NewImage: { state: { S: ["deleted"] } } } },
    ]);
    expect(patterns).toEqual(trigger.filters);
  });

  it("is also invoked by new sessions if there is a limit of sessions per user", () => {
    const limited = synthesize({ stage: "prod", maxSessionsPerUser: "100" }).jobs;
    const { FilterCriteria } = onlyResource(limited, "AWS::Lambda::EventSourceMapping", "/jobs-archive/").Properties;
    const patterns = FilterCriteria.Filters.map(({ Pattern }: { Pattern: string }) => JSON.parse(Pattern));
    expect(patterns).toEqual([...trigger.filters, newSessionRecords]);
    // Lambda takes five filters unless AWS raises the quota of the account.
    expect(patterns.length).toBeLessThanOrEqual(5);
  });

  it("reports each failed record, retries it, and then sends it to the dead-letter queue", () => {
    expect(mapping).toMatchObject({
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: trigger.retries,
      MaximumRecordAgeInSeconds: 72_000,
      DestinationConfig: { OnFailure: { Destination: deadLetters } },
    });
  });

  it("reads the stream from its start, in batches, several at the same time", () => {
    expect(mapping).toMatchObject({
      StartingPosition: "TRIM_HORIZON",
      BatchSize: trigger.batchSize,
      MaximumBatchingWindowInSeconds: trigger.window,
      ParallelizationFactor: trigger.parallelism,
    });
  });
});

describe("the stream of a table", () => {
  it("has two readers at most, because AWS throttles more of them", () => {
    const mappings = Object.values(resourcesOf(jobs, "AWS::Lambda::EventSourceMapping"));
    const readers = Map.groupBy(mappings, ({ Properties }) => JSON.stringify(Properties.EventSourceArn));
    expect([...readers.values()].map(({ length }) => length).sort()).toEqual([1, 1, 2]);
  });
});

describe("the reconciler", () => {
  it("runs on a schedule, and an event becomes a dead letter if its run fails or cannot start", () => {
    const rule = onlyResource(jobs, "AWS::Events::Rule", "/jobs-reconcile/").Properties;
    expect(rule).toMatchObject({
      ScheduleExpression: functions["jobs-reconcile"].trigger.expression,
      State: "ENABLED",
      Targets: [
        {
          DeadLetterConfig: { Arn: deadLetters },
          RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600 },
        },
      ],
    });
    expect(onlyResource(jobs, "AWS::Lambda::EventInvokeConfig", "/jobs-reconcile/").Properties).toMatchObject({
      MaximumRetryAttempts: 1,
      DestinationConfig: { OnFailure: { Destination: deadLetters } },
    });
  });
});

describe("the dead-letter queue", () => {
  it("keeps messages for 14 days, encrypted", () => {
    expect(onlyResource(jobs, "AWS::SQS::Queue").Properties).toMatchObject({
      MessageRetentionPeriod: 14 * 86_400,
      SqsManagedSseEnabled: true,
    });
  });

  it("accepts messages over TLS only, and from this stack's rules only", () => {
    const [overTls, ...others] = onlyResource(jobs, "AWS::SQS::QueuePolicy").Properties.PolicyDocument.Statement;
    expect(overTls).toMatchObject({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } });
    expect(others).toHaveLength(Object.keys(resourcesOf(jobs, "AWS::Events::Rule")).length);
    for (const statement of others) {
      expect(statement).toMatchObject({
        Effect: "Allow",
        Action: "sqs:SendMessage",
        Principal: { Service: "events.amazonaws.com" },
        Condition: { ArnEquals: { "aws:SourceArn": { "Fn::GetAtt": [expect.any(String), "Arn"] } } },
      });
    }
  });
});

describe("outputs", () => {
  it("name the resources that the redrive command needs", () => {
    const names = Object.keys(jobs.findOutputs("*")).filter((name) => !name.startsWith("ExportsOutput"));
    expect(names.sort()).toEqual([
      "DeadLetterQueueUrl",
      "LakeFunctionName",
      "ReconcileFunctionName",
      "ReembedFunctionName",
    ]);
  });
});
