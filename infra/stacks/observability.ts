import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { Alarm, type AlarmProps, ComparisonOperator, Metric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import type { Options } from "../stage.ts";
import type { ApiStack } from "./api.ts";
import { addDashboard } from "./dashboard.ts";
import type { DataStack } from "./data.ts";
import type { JobsStack } from "./jobs.ts";

const FIVE_MINUTES = Duration.minutes(5);

export interface ObservabilityProps extends StackProps {
  options: Options;
  data: DataStack;
  api: ApiStack;
  jobs: JobsStack;
}

/**
 * The topic that alarms go to, the alarms, the dashboard. Every alarm watches one metric, as each costs $0.10 a month
 * after an account's first ten: what a handler of the API fails at shows as a 5xx of the API.
 */
export class ObservabilityStack extends Stack {
  private readonly topic: Topic;

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id, props);
    this.topic = this.alarmTopic(props.options);
    this.jobAlarms(props);
    this.apiAlarms(props);
    if (props.options.dashboard) addDashboard(this, props);
    new CfnOutput(this, "AlarmTopicArn", { value: this.topic.topicArn });
  }

  private alarmTopic({ alarmEmail }: Options): Topic {
    const topic = new Topic(this, "Alarms", { displayName: "Memocha alarms", enforceSSL: true });
    // A topic with a policy of its own has lost the default one, by which its account's alarms may publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: "Alarms",
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": this.account } },
      }),
    );
    if (alarmEmail) topic.addSubscription(new EmailSubscription(alarmEmail));
    return topic;
  }

  private jobAlarms({ options, jobs }: ObservabilityProps): void {
    const thresholds = options.stage.alarms;
    this.alarm("DeadLetters", {
      alarmDescription: "Something failed for good and waits in the dead-letter queue: see why, then redrive.",
      metric: jobs.deadLetters.metricApproximateNumberOfMessagesVisible({ period: FIVE_MINUTES, statistic: "Maximum" }),
      threshold: 1,
      evaluationPeriods: 1,
    });
    for (const { name, lambda } of [...jobs.streamJobs, ...jobs.scheduledJobs]) {
      this.alarm(`Errors-${name}`, {
        alarmDescription: `${name} fails.`,
        metric: lambda.metricErrors({ period: FIVE_MINUTES }),
        threshold: thresholds.jobErrors,
        evaluationPeriods: 1,
      });
    }
    for (const { name, lambda } of jobs.streamJobs) {
      this.alarm(`IteratorAge-${name}`, {
        alarmDescription: `${name} falls behind the stream, which forgets records after 24 hours.`,
        metric: lambda.metric("IteratorAge", { period: FIVE_MINUTES, statistic: "Maximum" }),
        threshold: thresholds.iteratorAgeSeconds * 1000,
        evaluationPeriods: 2,
      });
    }
    for (const { name, lambda } of jobs.scheduledJobs) {
      this.alarm(`Silence-${name}`, {
        alarmDescription: `${name} has not run for an hour.`,
        metric: lambda.metricInvocations({ period: Duration.hours(1) }),
        threshold: 1,
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: 1,
        treatMissingData: TreatMissingData.BREACHING,
      });
    }
  }

  private apiAlarms({ options, api, data }: ObservabilityProps): void {
    const thresholds = options.stage.alarms;
    this.alarm("ServerErrors", {
      alarmDescription: "Too many requests are answered with a 5xx.",
      // The average of a metric that is 0 or 1 a request is their share.
      metric: api.api.metricServerError({ period: FIVE_MINUTES, statistic: "Average" }),
      threshold: thresholds.serverErrorRate,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
    });
    this.alarm("Latency", {
      alarmDescription: "The slowest hundredth of requests takes too long.",
      metric: api.api.metricLatency({ period: FIVE_MINUTES, statistic: "p99" }),
      threshold: thresholds.p99Latency,
      evaluationPeriods: 3,
      datapointsToAlarm: 3,
    });
    this.alarm("Throttles", {
      alarmDescription: "Lambda refuses invocations: the account's functions use all of its concurrency.",
      // With no dimension it is the sum over the account, whose functions share one limit.
      metric: new Metric({ namespace: "AWS/Lambda", metricName: "Throttles", statistic: "Sum", period: FIVE_MINUTES }),
      threshold: thresholds.throttles,
      evaluationPeriods: 1,
    });
    this.alarm("WriteThrottles", {
      alarmDescription: "DynamoDB refuses writes to the table: a partition is too hot, or it grows faster than it may.",
      metric: data.table.metric("WriteThrottleEvents", { period: FIVE_MINUTES, statistic: "Sum" }),
      threshold: thresholds.throttles,
      evaluationPeriods: 1,
    });
  }

  private alarm(id: string, props: AlarmProps): void {
    const alarm = new Alarm(this, id, {
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...props,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    alarm.addOkAction(new SnsAction(this.topic));
  }
}
