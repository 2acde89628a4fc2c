import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { Alarm, type AlarmProps, ComparisonOperator, Metric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import { NAMESPACE, type Trouble } from "../../shared/metrics/trouble.ts";
import type { Options } from "../stage.ts";
import { addDashboard, type Watched } from "./dashboard.ts";

const FIVE_MINUTES = Duration.minutes(5);

/** The path of the runbook in the repository. It has a section for each alarm, with the alarm's name. */
export const RUNBOOK = "docs/operations.md";

interface ObservabilityProps extends StackProps, Watched {}

/**
 * The alarms, their topic, and the dashboard. There are ten alarms of one metric each, because an account has ten for free. Errors and
 * throttles of the API's functions have no alarm, because they show as 5xx answers of the API.
 */
export class ObservabilityStack extends Stack {
  private readonly topic: Topic;

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id, props);
    this.topic = this.alarmTopic(props.options);
    this.jobAlarms(props);
    this.apiAlarms(props);
    this.troubleAlarms(props);
    if (props.options.dashboard) addDashboard(this, props);
    new CfnOutput(this, "AlarmTopicArn", { value: this.topic.topicArn });
  }

  private alarmTopic({ alarmEmail }: Options): Topic {
    const topic = new Topic(this, "Alarms", { displayName: "Memocha alarms", enforceSSL: true });
    // This policy replaces the default one, which lets alarms of the account publish.
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

  /** Alarms on the requests of clients. */
  private apiAlarms({ options, api }: ObservabilityProps): void {
    const thresholds = options.stage.alarms;
    this.alarm("ServerErrors", {
      alarmDescription: "Too many requests get a 5xx.",
      // The metric is 0 or 1 per request, so its average is the share of errors.
      metric: api.api.metricServerError({ period: FIVE_MINUTES, statistic: "Average" }),
      threshold: thresholds.serverErrorRate,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
    });
    this.alarm("Latency", {
      alarmDescription: "The slowest 1 % of requests take too long.",
      metric: api.api.metricLatency({ period: FIVE_MINUTES, statistic: "p99" }),
      threshold: thresholds.p99Latency,
      evaluationPeriods: 3,
      datapointsToAlarm: 3,
    });
  }

  /** Alarms on jobs. A job that fails leaves a dead letter, and `jobs-watch` reports a job that does not run. */
  private jobAlarms({ options, jobs }: ObservabilityProps): void {
    this.alarm("DeadLetters", {
      alarmDescription: "A job failed after all retries. Its event waits in the dead-letter queue.",
      metric: jobs.deadLetters.metricApproximateNumberOfMessagesVisible({ period: FIVE_MINUTES, statistic: "Maximum" }),
      threshold: 1,
      evaluationPeriods: 1,
    });
    // Other stream jobs need no such alarm: their records go to the dead-letter queue before the stream deletes them.
    this.alarm("IteratorAge-jobs-archive", {
      alarmDescription: "The archiver is too far behind the stream, which deletes records after 24 hours.",
      metric: jobs.lambdaOf("jobs-archive").metric("IteratorAge", { period: FIVE_MINUTES, statistic: "Maximum" }),
      threshold: options.stage.alarms.iteratorAgeSeconds * 1000,
      evaluationPeriods: 2,
    });
    this.alarm("WatchSilent", {
      alarmDescription: "jobs-watch has not run for an hour, so nothing reports late jobs.",
      metric: jobs.lambdaOf("jobs-watch").metricInvocations({ period: Duration.hours(1) }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.BREACHING,
    });
  }

  /** Alarms on metrics that `jobs-watch` and functions write only while there is a problem, because a metric without data is free. */
  private troubleAlarms({ options }: ObservabilityProps): void {
    const { sessionsOverdue, lateMinutes } = options.stage.alarms;
    const trouble = (metricName: Trouble, alarmDescription: string, threshold = 1, minutes = 5) =>
      this.alarm(metricName, {
        alarmDescription,
        metric: new Metric({
          namespace: NAMESPACE,
          metricName,
          dimensionsMap: { stage: options.stage.name },
          period: FIVE_MINUTES,
          statistic: "Maximum",
        }),
        threshold,
        evaluationPeriods: minutes / 5,
      });
    trouble("BreakerOpen", "A provider of models fails, so turns go to the fallbacks or are refused.");
    trouble("ArchiveBehind", "Sessions have been due for two hours and are not archived.", sessionsOverdue, 15);
    trouble("LakeStale", "The lake has not been built for too long.", 1, lateMinutes);
    trouble(
      "JobsLate",
      "A scheduled job (aggregates, reports, housekeeping) has not succeeded in time.",
      1,
      lateMinutes,
    );
    trouble("CostAboveBudget", "Models have cost more this month than the budget.", 0.01);
  }

  private alarm(id: string, props: AlarmProps): void {
    const alarm = new Alarm(this, id, {
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...props,
      alarmDescription: `${props.alarmDescription} What to do: ${RUNBOOK}#${id.toLowerCase()}`,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    alarm.addOkAction(new SnsAction(this.topic));
  }
}
