import { randomUUID } from "node:crypto";
import { parseSchedule } from "./schedule-expression.ts";

/** Milliseconds that a timer can wait at most. */
const LONGEST_TIMER = 2 ** 31 - 1;

export interface ScheduleOptions {
  /** `rate(...)` or `cron(...)`, in AWS's syntax, UTC. */
  expression: string;
  /** "ENABLED" or "DISABLED". @default "ENABLED" */
  state?: string;
  /** Fires every so many seconds instead of by the expression. */
  everySeconds?: number;
  /** Of the rule; region and account of the event come from it. */
  ruleArn?: string;
  fire: (event: object) => Promise<void>;
  log: (line: string) => void;
}

/**
 * Fires EventBridge's scheduled event by its expression. A time that comes while the one before is still being worked
 * on is skipped, and logged: on one machine, a second run beside the first only makes both slower.
 * Throws when the expression cannot be read.
 */
export function startSchedule(options: ScheduleOptions): { stop(): void } {
  const { expression, state = "ENABLED", everySeconds, log } = options;
  const next = parseSchedule(expression);
  if (state === "DISABLED") {
    log(`The schedule ${expression} is disabled.`);
    return { stop: () => undefined };
  }
  const ruleArn = options.ruleArn ?? "arn:aws:events:us-east-1:000000000000:rule/schedule";
  let timer: NodeJS.Timeout | undefined;
  let running = false;

  const fire = async (time: Date) => {
    if (running) {
      log(`The schedule ${expression} of ${ruleArn} skips a time: its last run has not ended.`);
      return;
    }
    running = true;
    try {
      await options.fire(scheduledEvent(time, ruleArn));
    } catch (error) {
      log(`The schedule ${expression} of ${ruleArn} failed: ${error instanceof Error ? error.stack : error}`);
    } finally {
      running = false;
    }
  };

  const arm = (after: Date) => {
    const due = everySeconds === undefined ? next(after) : new Date(after.getTime() + everySeconds * 1000);
    if (due) wait(due);
  };

  const wait = (due: Date) => {
    const left = due.getTime() - Date.now();
    timer = setTimeout(
      () => {
        if (Date.now() < due.getTime()) return wait(due);
        void fire(due);
        // From now on, not from the time due: a machine that slept does not catch up on every time it missed.
        arm(new Date());
      },
      Math.min(Math.max(left, 0), LONGEST_TIMER),
    );
  };

  arm(new Date());
  return { stop: () => clearTimeout(timer) };
}

function scheduledEvent(time: Date, ruleArn: string): object {
  const [, , , region, account] = ruleArn.split(":");
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Scheduled Event",
    source: "aws.events",
    account,
    time: time.toISOString().replace(/\.\d+Z$/, "Z"),
    region,
    resources: [ruleArn],
    detail: {},
  };
}
