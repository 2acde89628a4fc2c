import path from "node:path";
import { functionName } from "./assembly/physical.ts";
import type { Resolver, Resource } from "./assembly/resolve.ts";
import type { StreamReader } from "./dynamodb/stream-reader.ts";
import { startSchedule } from "./events/schedule.ts";
import { startStreamPoller } from "./events/stream-poller.ts";
import type { Access } from "./iam/access.ts";
import { invokePermission } from "./iam/permissions.ts";
import type { Permission } from "./iam/statement.ts";
import type { AsynchronousInvoker } from "./lambda/asynchronous.ts";
import type { LambdaFunction } from "./lambda/lambda-function.ts";
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
  const schedules = resolver.resources("AWS::Events::Rule").flatMap((rule) => startRule(rule, resolver, options));
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
    const why = target ? `${source} is not a stream` : "its function does not run here";
    log.warn(`event source ${logicalId}: the local host ignores it, because ${why}`);
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

interface RuleProperties {
  ScheduleExpression?: string;
  State?: string;
  Targets?: { Arn?: string; Input?: string; DeadLetterConfig?: { Arn?: string } }[];
}

/** Starts the schedules of an EventBridge rule, one per target. */
function startRule(
  rule: Resource,
  resolver: Resolver,
  { find, asynchronous, scheduleEvery, sendToQueue, access, log }: TriggerOptions,
): { stop(): void }[] {
  const { ScheduleExpression: expression, State: state, Targets = [] } = rule.properties as RuleProperties;
  if (!expression) return [];
  const name = `schedule ${rule.logicalId}`;
  const ruleArn = resolver.attribute(rule, "Arn");
  const check = (permission: Permission) => access.checkService("events.amazonaws.com", ruleArn, permission);
  return Targets.flatMap(({ Arn = "", Input, DeadLetterConfig }) => {
    const target = find(functionName(Arn));
    if (!target) {
      log.warn(`${name}: its target ${Arn} is not a function that runs here`);
      return [];
    }
    const fire = async (event: object) => {
      const text = Input ?? JSON.stringify(event);
      const refusal = check(invokePermission(target.arn));
      if (!refusal) return asynchronous.attempt(target, text);
      log.error(`${name}: ${refusal}`);
      const queue = DeadLetterConfig?.Arn;
      if (!queue) return;
      const lost = check({ action: "sqs:sendmessage", resource: queue });
      if (lost) log.error(`${name}: its event is lost. ${lost}`);
      else await sendToQueue(queue, text);
    };
    const schedule = { expression, ruleArn, state, everySeconds: scheduleEvery, fire, log: log.detail };
    return [startSchedule(schedule)];
  });
}

async function invokeOrThrow(target: LambdaFunction, event: object): Promise<unknown> {
  const { error, payload } = await target.invoke(JSON.stringify(event));
  if (error) {
    const message = `${error.errorType}: ${error.errorMessage}`;
    throw Object.assign(new Error(message), { stack: error.detail ?? message });
  }
  return JSON.parse(payload);
}
