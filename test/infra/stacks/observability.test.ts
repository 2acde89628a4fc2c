import { describe, expect, it } from "vitest";
import { onlyResource, resourcesOf, synthesize } from "../synthesize.ts";

const { observability } = synthesize({ stage: "prod", alarmEmail: "ops@example.com" });
const alarms = Object.values(resourcesOf(observability, "AWS::CloudWatch::Alarm"));
const alarm = (id: string) => onlyResource(observability, "AWS::CloudWatch::Alarm", `/${id}/`).Properties;

describe("alarms", () => {
  it("cost less than a dollar a month, even with no free ones left", () => {
    // $0.10 for each metric that an alarm watches.
    const metrics = alarms.reduce((sum, { Properties }) => sum + (Properties.Metrics?.length ?? 1), 0);
    expect(metrics * 10).toBeLessThan(100);
  });

  it("say what is wrong, and when it is over, to the topic", () => {
    const topic = { Ref: Object.keys(resourcesOf(observability, "AWS::SNS::Topic"))[0] };
    for (const { Properties } of alarms) {
      expect(Properties).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
      expect(Properties.AlarmDescription.length).toBeGreaterThan(10);
    }
  });

  it("go off at the first dead letter", () => {
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
    ["Errors-jobs-archive", "AWS/Lambda", "Errors", 1],
    ["Errors-jobs-reconcile", "AWS/Lambda", "Errors", 1],
    ["IteratorAge-jobs-archive", "AWS/Lambda", "IteratorAge", 900_000],
    ["Throttles", "AWS/Lambda", "Throttles", 10],
    ["WriteThrottles", "AWS/DynamoDB", "WriteThrottleEvents", 10],
    ["ServerErrors", "AWS/ApiGateway", "5XXError", 0.01],
    ["Latency", "AWS/ApiGateway", "Latency", 3000],
  ])("watch %s", (id, namespace, metric, threshold) => {
    expect(alarm(id)).toMatchObject({ Namespace: namespace, MetricName: metric, Threshold: threshold });
    expect(alarm(id).TreatMissingData).toBe("notBreaching");
  });

  it("go off when the reconciler stops running, of which there is no data", () => {
    expect(alarm("Silence-jobs-reconcile")).toMatchObject({
      MetricName: "Invocations",
      Period: 3600,
      Threshold: 1,
      ComparisonOperator: "LessThanThreshold",
      TreatMissingData: "breaching",
    });
  });

  it("bear more in dev", () => {
    const dev = synthesize({ stage: "dev" }).observability;
    expect(onlyResource(dev, "AWS::CloudWatch::Alarm", "/Errors-jobs-archive/").Properties.Threshold).toBe(5);
  });
});

describe("the topic", () => {
  it("takes messages from this account's alarms, over TLS only", () => {
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

  it("sends mail to whom the context names", () => {
    expect(onlyResource(observability, "AWS::SNS::Subscription").Properties).toMatchObject({
      Protocol: "email",
      Endpoint: "ops@example.com",
    });
  });
});

describe("the dashboard", () => {
  it("is one, and can be left out", () => {
    const without = synthesize({ stage: "prod", dashboard: "false" }).observability;
    expect(Object.keys(resourcesOf(observability, "AWS::CloudWatch::Dashboard"))).toHaveLength(1);
    expect(resourcesOf(without, "AWS::CloudWatch::Dashboard")).toEqual({});
  });
});
