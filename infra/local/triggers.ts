import path from "node:path";
import { functionName } from "./assembly/physical.ts";
import type { Resolver, Resource } from "./assembly/resolve.ts";
import type { StreamReader } from "./dynamodb/stream-reader.ts";
import { startSchedule } from "./events/schedule.ts";
import { startStreamPoller } from "./events/stream-poller.ts";
import type { Access, Refusal } from "./iam/access.ts";
import { invokePermission } from "./iam/permissions/other-services.ts";
import type { Permission } from "./iam/statement.ts";
import type { AsynchronousInvoker } from "./lambda/asynchronous.ts";
import type { LambdaFunction } from "./lambda/function.ts";
import type { Log } from "./log.ts";

interface TriggerOptions {
  find(name: string): LambdaFunction | undefined;
  asynchronous: AsynchronousInvoker;
  /** Reads the streams of the tables. */
  streams: StreamReader;
  checkpoints: string;
  scheduleEvery: number | undefined;
  sendToQueue(queueArn: string, body: string): Promise<void>;
  access: Access;
  log: Log;
}

/** Starts the event-source mappings and the schedules that invoke functions. */
export function startTriggers(resolver: Resolver, options: TriggerOptions): { stop(): Promise<void> } {
  const pollers = resolver
    .resources("AWS::Lambda::EventSourceMapping")
    .flatMap((mapping) => startMapping(mapping, options));
  const schedules = [
    ...resolver.resources("AWS::Events::Rule").flatMap((rule) => readRule(rule, resolver, options.access)),
    ...resolver.resources("AWS::Scheduler::Schedule").map((schedule) => readSchedule(schedule, options.access)),
  ].flatMap((schedule) => start(schedule, options));
  return {
    async stop() {
      for (const schedule of schedules) schedule.stop();
      await Promise.all(pollers.map((poller) => poller.stop()));
    },
  };
}

function startMapping({ logicalId, properties }: Resource, options: TriggerOptions): { stop(): Promise<void> }[] {
  const { log } = options;
  const source = String(properties.EventSourceArn);
  const target = options.find(functionName(String(properties.FunctionName)));
  if (!target || !/:dynamodb:.*\/stream\//.test(source)) {
    log.warn(`event source ${logicalId}: ${target ? `${source} is no stream` : "its function"} cannot be run here`);
    return [];
  }
  const { OnFailure } = (properties.DestinationConfig ?? {}) as { OnFailure?: { Destination?: string } };
  return [
    startStreamPoller({
      reader: options.streams,
      streamArn: source,
      mapping: properties,
      functionLabel: target.label,
      invoke: (event) => invokeOrThrow(target, event),
      checkpointFile: path.join(options.checkpoints, `${logicalId}.json`),
      sendToDestination: (record) => options.sendToQueue(OnFailure?.Destination ?? "", JSON.stringify(record)),
      log: log.detail,
      warn: log.warn,
    }),
  ];
}

interface Target {
  Arn?: string;
  Input?: string;
  /** Of an EventBridge Scheduler schedule only. */
  RoleArn?: string;
  DeadLetterConfig?: { Arn?: string };
}

interface Schedule {
  logicalId: string;
  expression?: string;
  state?: string;
  /** Of an EventBridge rule only. */
  ruleArn?: string;
  target: Target;
  /** Why AWS would refuse this call of EventBridge; undefined when the policies allow it. */
  check(permission: Permission): Refusal | undefined;
}

interface ScheduleProperties {
  ScheduleExpression?: string;
  State?: string;
}

function readRule(rule: Resource, resolver: Resolver, access: Access): Schedule[] {
  const { logicalId, properties } = rule;
  const { ScheduleExpression, State, Targets = [] } = properties as ScheduleProperties & { Targets?: Target[] };
  const ruleArn = resolver.attribute(rule, "Arn");
  return Targets.map((target) => ({
    logicalId,
    ...(ScheduleExpression && { expression: ScheduleExpression }),
    ...(State && { state: State }),
    ruleArn,
    target,
    check: (permission) => access.checkService("events.amazonaws.com", ruleArn, permission),
  }));
}

function readSchedule({ logicalId, properties }: Resource, access: Access): Schedule {
  const { ScheduleExpression, State, Target = {} } = properties as ScheduleProperties & { Target?: Target };
  return {
    logicalId,
    ...(ScheduleExpression && { expression: ScheduleExpression }),
    ...(State && { state: State }),
    target: Target,
    check: (permission) => access.checkRole(Target.RoleArn ?? "", "scheduler.amazonaws.com", permission),
  };
}

function start(
  { logicalId, expression, state, ruleArn, target: { Arn, Input, DeadLetterConfig }, check }: Schedule,
  { find, asynchronous, scheduleEvery, sendToQueue, log }: TriggerOptions,
): { stop(): void }[] {
  if (!expression) return [];
  const target = find(functionName(Arn ?? ""));
  if (!target) {
    log.warn(`schedule ${logicalId}: its target ${Arn} is not a function that runs here`);
    return [];
  }
  const sendToDeadLetterQueue = async (event: string) => {
    const queue = DeadLetterConfig?.Arn;
    if (!queue) return;
    const refused = check({ action: "sqs:sendmessage", resource: queue });
    if (refused) log.error(`schedule ${logicalId}: its event is lost. ${refused.message}`);
    else await sendToQueue(queue, event);
  };
  return [
    startSchedule({
      expression,
      ...(state && { state }),
      ...(scheduleEvery !== undefined && { everySeconds: scheduleEvery }),
      ...(ruleArn && { ruleArn }),
      async fire(event) {
        const text = Input ?? JSON.stringify(event);
        const refused = check(invokePermission(target.arn));
        if (!refused) return asynchronous.attempt(target, text);
        log.error(`schedule ${logicalId}: ${refused.message}`);
        await sendToDeadLetterQueue(text);
      },
      log: log.detail,
    }),
  ];
}

async function invokeOrThrow(target: LambdaFunction, event: object): Promise<unknown> {
  const { error, payload } = await target.invoke(JSON.stringify(event));
  if (error) {
    const message = `${error.errorType}: ${error.errorMessage}`;
    throw Object.assign(new Error(message), { stack: error.detail ?? message });
  }
  return JSON.parse(payload);
}
