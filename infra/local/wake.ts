import path from "node:path";
import type { Resolver, Resource } from "./assembly/resolve.ts";
import type { StreamReader } from "./dynamodb/stream-reader.ts";
import { startSchedule } from "./events/schedule.ts";
import { startStreamPoller } from "./events/stream-poller.ts";
import type { AsynchronousInvoker } from "./lambda/asynchronous.ts";
import type { LambdaFunction } from "./lambda/function.ts";
import { functionName } from "./lambda/invoke-api.ts";
import type { Log } from "./log.ts";

export interface WakeOptions {
  find(name: string): LambdaFunction | undefined;
  asynchronous: AsynchronousInvoker;
  /** Reads the streams of the tables. */
  streams: StreamReader;
  checkpoints: string;
  scheduleEvery: number | undefined;
  sendToQueue(queueArn: string, body: string): Promise<void>;
  log: Log;
}

/** Starts what wakes functions besides HTTP: event-source mappings and schedules. */
export function startWaking(resolver: Resolver, options: WakeOptions): { stop(): Promise<void> } {
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

function startMapping({ logicalId, properties }: Resource, options: WakeOptions): { stop(): Promise<void> }[] {
  const { log } = options;
  const source = String(properties.EventSourceArn);
  const target = options.find(functionName(String(properties.FunctionName)));
  if (!target || !/:dynamodb:.*\/stream\//.test(source)) {
    log.warn(`event source ${logicalId}: ${target ? `${source} is no stream` : "its function"} cannot be run here`);
    return [];
  }
  if (properties.Enabled === false) return [];
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
}

function startRule(rule: Resource, resolver: Resolver, options: WakeOptions): { stop(): void }[] {
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
  return Targets.flatMap((target) =>
    schedule(rule.logicalId, ScheduleExpression, State, target, resolver.attribute(rule, "Arn"), options),
  );
}

function startScheduler({ logicalId, properties }: Resource, _: Resolver, options: WakeOptions): { stop(): void }[] {
  const { ScheduleExpression, State, Target } = properties as {
    ScheduleExpression?: string;
    State?: string;
    Target?: Target;
  };
  return ScheduleExpression && Target ? schedule(logicalId, ScheduleExpression, State, Target, undefined, options) : [];
}

function schedule(
  logicalId: string,
  expression: string,
  state: string | undefined,
  { Arn, Input }: Target,
  ruleArn: string | undefined,
  { find, asynchronous, scheduleEvery, log }: WakeOptions,
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
      fire: (event) => asynchronous.attempt(target, Input ?? JSON.stringify(event)),
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
