import { CfnOutput, Duration, Stack, type StackProps } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction as LambdaTarget } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import {
  EventInvokeConfig,
  EventSourceMapping,
  FilterCriteria,
  type Function as LambdaFunction,
  StartingPosition,
} from "aws-cdk-lib/aws-lambda";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import type { Trigger } from "../function-spec.ts";
import { type FunctionName, functions } from "../functions.ts";
import { newSessionRecords } from "../stream-filters.ts";
import { MemochaFunction, type Runtimes } from "./memocha-function.ts";
import { acknowledge } from "./nag.ts";

/** The functions that the table's stream and schedules invoke, and their dead-letter queue. */
export class JobsStack extends Stack {
  readonly deadLetters: Queue;
  readonly streamJobs: MemochaFunction[] = [];
  readonly scheduledJobs: MemochaFunction[] = [];

  constructor(scope: Construct, id: string, props: Runtimes & StackProps) {
    super(scope, id, props);
    this.deadLetters = new Queue(this, "DeadLetters", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.seconds(props.options.policy.upkeep.deadLetters),
    });
    acknowledge(this.deadLetters, { SQS3: "This is the dead-letter queue." });

    for (const [name, { trigger }] of Object.entries(functions) as [FunctionName, { trigger: Trigger }][]) {
      if (trigger.kind === "stream") this.streamJobs.push(this.streamJob(name, trigger, props));
      if (trigger.kind === "invoke") {
        const { lambda } = new MemochaFunction(this, name, props);
        if (name === "jobs-reembed") new CfnOutput(this, "ReembedFunctionName", { value: lambda.functionName });
      }
      if (trigger.kind === "schedule") this.scheduledJobs.push(this.scheduledJob(name, trigger, props));
    }

    new CfnOutput(this, "DeadLetterQueueUrl", { value: this.deadLetters.queueUrl });
    new CfnOutput(this, "ReconcileFunctionName", { value: this.lambdaOf("jobs-reconcile").functionName });
    new CfnOutput(this, "LakeFunctionName", { value: this.lambdaOf("jobs-lake").functionName });
  }

  /** Finds the function of a job. */
  lambdaOf(job: FunctionName): LambdaFunction {
    const found = [...this.streamJobs, ...this.scheduledJobs].find(({ name }) => name === job);
    if (!found) throw new Error(`${job} is not a job`);
    return found.lambda;
  }

  private streamJob(name: FunctionName, trigger: Extract<Trigger, { kind: "stream" }>, props: Runtimes) {
    const job = this.failingJob(name, props);
    const streamArn = streamArnOf(props.data[trigger.table ?? "table"].tableStreamArn);
    job.role.addToPolicy(
      new PolicyStatement({
        sid: "Stream",
        actions: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
        resources: [streamArn],
      }),
    );
    // Lambda requires ListStreams for a mapping. The action has no resources.
    job.role.addToPolicy(new PolicyStatement({ sid: "Streams", actions: ["dynamodb:ListStreams"], resources: ["*"] }));

    const limitsSessions = name === "jobs-archive" && props.options.maxSessionsPerUser > 0;
    new EventSourceMapping(job, "Stream", {
      target: job.lambda,
      eventSourceArn: streamArn,
      startingPosition: StartingPosition.TRIM_HORIZON,
      filters: [...trigger.filters, ...(limitsSessions ? [newSessionRecords] : [])].map((filter) =>
        FilterCriteria.filter({ ...filter }),
      ),
      batchSize: trigger.batchSize,
      maxBatchingWindow: Duration.seconds(trigger.window),
      parallelizationFactor: trigger.parallelism,
      retryAttempts: trigger.retries,
      // Less than the stream's 24 hours, so that a record goes to the queue before the stream drops it.
      maxRecordAge: Duration.hours(20),
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      onFailure: { bind: () => ({ destination: this.deadLetters.queueArn }) },
    });
    return job;
  }

  private scheduledJob(name: FunctionName, trigger: Extract<Trigger, { kind: "schedule" }>, props: Runtimes) {
    const job = this.failingJob(name, props);
    // The rule sends events that EventBridge could not deliver to the queue. The function sends events on which it failed.
    new Rule(job, "Schedule", {
      schedule: Schedule.expression(trigger.expression),
      targets: [
        new LambdaTarget(job.lambda, {
          deadLetterQueue: this.deadLetters,
          retryAttempts: 2,
          maxEventAge: Duration.hours(1),
        }),
      ],
    });
    new EventInvokeConfig(job, "Failures", {
      function: job.lambda,
      retryAttempts: 1,
      maxEventAge: Duration.hours(1),
      onFailure: { bind: () => ({ destination: this.deadLetters.queueArn }) },
    });
    return job;
  }

  /** Creates a job that may send events to the dead-letter queue after its last retry. */
  private failingJob(name: FunctionName, props: Runtimes): MemochaFunction {
    const job = new MemochaFunction(this, name, props);
    job.useDeadLetters(this.deadLetters);
    job.role.addToPolicy(
      new PolicyStatement({ sid: "Failures", actions: ["sqs:SendMessage"], resources: [this.deadLetters.queueArn] }),
    );
    return job;
  }
}

function streamArnOf(arn: string | undefined): string {
  if (arn === undefined) throw new Error("The table of a stream job has no stream");
  return arn;
}
