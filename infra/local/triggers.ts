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

export interface TriggerOptions {
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

/** Starts what wakes functions besides HTTP: event-source mappings and schedules. */
export function startTriggers(resolver: Resolver, options: TriggerOptions): { stop(): Promise<void> } {
  const pollers = resolver
    .resources("AWS::Lambda::EventSourceMapping")
    .flatMap((mapping) => startMapping(mapping, options));
  const schedules = [
    ...resolver.resources("AWS::Events::Rule").flatMap((rule) => startRule(rule, resolver, options)),
    ...resolver
      .resources("AWS::Scheduler::Schedule")
      .flatMap((schedule) => startScheduler(schedule, resolver, options)),
  ];
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
  /** Of a schedule. */
  RoleArn?: string;
  DeadLetterConfig?: { Arn?: string };
}

function startRule(rule: Resource, resolver: Resolver, options: TriggerOptions): { stop(): void }[] {
  const {
    ScheduleExpression,
    State,
    Targets = [],
  } = rule.properties as {
    ScheduleExpression?: string;
    State?: string;
    Targets?: Target[];
  };
  if (!ScheduleExpression) return [];
  const ruleArn = resolver.attribute(rule, "Arn");
  const { access, sendToQueue, log } = options;
  const asRule = (permission: Permission) => access.checkService("events.amazonaws.com", ruleArn, permission);
  const onRefusal = async (event: string, queue: string | undefined) => {
    if (!queue) return;
    const refused = asRule(sendPermission(queue));
    if (refused) log.error(`schedule ${rule.logicalId}: its event is lost. ${refused.message}`);
    else await sendToQueue(queue, event);
  };
  return Targets.flatMap((target) =>
    schedule(rule.logicalId, { expression: ScheduleExpression, state: State, target, ruleArn }, options, {
      refuse: (functionArn) => asRule(invokePermission(functionArn)),
      onRefusal: (event) => onRefusal(event, target.DeadLetterConfig?.Arn),
    }),
  );
}

function startScheduler({ logicalId, properties }: Resource, _: Resolver, options: TriggerOptions): { stop(): void }[] {
  const { ScheduleExpression, State, Target } = properties as {
    ScheduleExpression?: string;
    State?: string;
    Target?: Target;
  };
  if (!ScheduleExpression || !Target) return [];
  const { access, sendToQueue, log } = options;
  const asSchedule = (permission: Permission) =>
    access.checkRole(Target.RoleArn ?? "", "scheduler.amazonaws.com", permission);
  return schedule(logicalId, { expression: ScheduleExpression, state: State, target: Target }, options, {
    refuse: (functionArn) => asSchedule(invokePermission(functionArn)),
    async onRefusal(event) {
      const queue = Target.DeadLetterConfig?.Arn;
      const refused = queue ? asSchedule(sendPermission(queue)) : undefined;
      if (refused) log.error(`schedule ${logicalId}: its event is lost. ${refused.message}`);
      else if (queue) await sendToQueue(queue, event);
    },
  });
}

/** What it takes to put a dead letter into a queue. */
function sendPermission(queueArn: string): Permission {
  return { action: "sqs:sendmessage", resource: queueArn };
}

interface ScheduleSpec {
  expression: string;
  state: string | undefined;
  target: Target;
  ruleArn?: string;
}

/** Whether a schedule may invoke its function, and what becomes of the event when it may not. */
interface ScheduleAccess {
  refuse(functionArn: string): Refusal | undefined;
  onRefusal(event: string): Promise<void>;
}

function schedule(
  logicalId: string,
  { expression, state, target: { Arn, Input }, ruleArn }: ScheduleSpec,
  { find, asynchronous, scheduleEvery, log }: TriggerOptions,
  { refuse, onRefusal }: ScheduleAccess,
): { stop(): void }[] {
  const target = find(functionName(Arn ?? ""));
  if (!target) {
    log.warn(`schedule ${logicalId}: its target ${Arn} is no function that runs here`);
    return [];
  }
  return [
    startSchedule({
      expression,
      ...(state && { state }),
      ...(scheduleEvery !== undefined && { everySeconds: scheduleEvery }),
      ...(ruleArn && { ruleArn }),
      async fire(event) {
        const text = Input ?? JSON.stringify(event);
        const refused = refuse(target.arn);
        if (!refused) return asynchronous.attempt(target, text);
        log.error(`schedule ${logicalId}: ${refused.message}`);
        await onRefusal(text);
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
