import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RUNBOOK } from "../../../infra/stacks/observability.ts";
import { onlyResource, resourcesOf, synthesize } from "../synthesize.ts";

const { observability } = synthesize({ stage: "prod", alarmEmail: "ops@example.com" });
const alarms = Object.values(resourcesOf(observability, "AWS::CloudWatch::Alarm"));
const alarm = (id: string) => onlyResource(observability, "AWS::CloudWatch::Alarm", `/${id}/`).Properties;

describe("alarms", () => {
  it("are at most as many as an account has for free, with one metric each", () => {
    const metrics = alarms.reduce((sum, { Properties }) => sum + (Properties.Metrics?.length ?? 1), 0);
    expect(metrics).toBeLessThanOrEqual(10);
  });

  it("link to the section of the runbook that says what to do", () => {
    const sections = [...readFileSync(RUNBOOK, "utf8").matchAll(/^## (.+)$/gm)].map(([, title]) =>
      String(title).toLowerCase(),
    );
    for (const { Properties } of alarms) {
      const [, file, section] = /What to do: (\S+)#(\S+)$/.exec(Properties.AlarmDescription)!;
      expect(file).toBe(RUNBOOK);
      expect(sections).toContain(section);
    }
  });

  it("notify the topic at the start and at the end", () => {
    const topic = { Ref: Object.keys(resourcesOf(observability, "AWS::SNS::Topic"))[0] };
    for (const { Properties } of alarms) {
      expect(Properties).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
      expect(Properties.AlarmDescription.length).toBeGreaterThan(10);
    }
  });

  it("are raised at the first dead letter", () => {
    expect(alarm("DeadLetters")).toMatchObject({
      Namespace: "AWS/SQS",
      MetricName: "ApproximateNumberOfMessagesVisible",
      Statistic: "Maximum",
      Threshold: 1,
      ComparisonOperator: "GreaterThanOrEqualToThreshold",
      EvaluationPeriods: 1,
      TreatMissingData: "notBreaching",
    });
  });

  it.each([
    ["IteratorAge-jobs-archive", "AWS/Lambda", "IteratorAge", 900_000],
    ["ServerErrors", "AWS/ApiGateway", "5XXError", 0.01],
    ["Latency", "AWS/ApiGateway", "Latency", 3000],
    ["BreakerOpen", "Memocha", "BreakerOpen", 1],
    ["ArchiveBehind", "Memocha", "ArchiveBehind", 1],
    ["LakeStale", "Memocha", "LakeStale", 1],
    ["JobsLate", "Memocha", "JobsLate", 1],
    ["CostAboveBudget", "Memocha", "CostAboveBudget", 0.01],
  ])("watch %s", (id, namespace, metric, threshold) => {
    expect(alarm(id)).toMatchObject({ Namespace: namespace, MetricName: metric, Threshold: threshold });
    expect(alarm(id).TreatMissingData).toBe("notBreaching");
  });

  it("are raised when models cost more than the budget, which jobs-watch reads", () => {
    const { jobs, observability } = synthesize({ stage: "prod", monthlyBudgetUsd: "0.5" });
    const watch = onlyResource(jobs, "AWS::Lambda::Function", "/jobs-watch/");
    expect(watch.Properties.Environment.Variables.MONTHLY_BUDGET_USD).toBe("0.5");
    // The watch publishes the cost, and only while it is above the budget: the threshold is below any budget that is worth an alarm.
    expect(onlyResource(observability, "AWS::CloudWatch::Alarm", "/CostAboveBudget/").Properties).toMatchObject({
      MetricName: "CostAboveBudget",
      Threshold: 0.01,
      ComparisonOperator: "GreaterThanOrEqualToThreshold",
      Statistic: "Maximum",
      EvaluationPeriods: 1,
      Dimensions: [{ Name: "stage", Value: "prod" }],
    });
  });

  it("are raised when jobs-watch does not run, although there is no data then", () => {
    expect(alarm("WatchSilent")).toMatchObject({
      MetricName: "Invocations",
      Period: 3600,
      Threshold: 1,
      ComparisonOperator: "LessThanThreshold",
      TreatMissingData: "breaching",
    });
  });

  it("have higher thresholds in dev", () => {
    const dev = synthesize({ stage: "dev" }).observability;
    expect(onlyResource(dev, "AWS::CloudWatch::Alarm", "/ArchiveBehind/").Properties.Threshold).toBe(100);
  });
});

describe("the topic", () => {
  it("accepts messages from this account's alarms, over TLS only", () => {
    const { Statement } = onlyResource(observability, "AWS::SNS::TopicPolicy").Properties.PolicyDocument;
    expect(Statement).toEqual([
      expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
      expect.objectContaining({
        Effect: "Allow",
        Action: "sns:Publish",
        Principal: { Service: "cloudwatch.amazonaws.com" },
        Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
      }),
    ]);
  });

  it("sends mail to the address in the context", () => {
    expect(onlyResource(observability, "AWS::SNS::Subscription").Properties).toMatchObject({
      Protocol: "email",
      Endpoint: "ops@example.com",
    });
  });
});

describe("the dashboard", () => {
  it("exists once, and can be left out", () => {
    const without = synthesize({ stage: "prod", dashboard: "false" }).observability;
    expect(Object.keys(resourcesOf(observability, "AWS::CloudWatch::Dashboard"))).toHaveLength(1);
    expect(resourcesOf(without, "AWS::CloudWatch::Dashboard")).toEqual({});
  });
});
