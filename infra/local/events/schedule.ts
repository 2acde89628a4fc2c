import { randomUUID } from "node:crypto";
import { parseSchedule } from "./schedule-expression.ts";

/** Milliseconds of the longest timer. */
const LONGEST_TIMER = 2 ** 31 - 1;

interface ScheduleOptions {
  /** `rate(...)` or `cron(...)` in AWS's syntax, UTC. */
  expression: string;
  /** "ENABLED" or "DISABLED". @default "ENABLED" */
  state?: string | undefined;
  /** Seconds between two events. @default as the expression says */
  everySeconds?: number | undefined;
  /** ARN of the rule. The event gets its region and account. */
  ruleArn: string;
  fire: (event: object) => Promise<void>;
  log: (line: string) => void;
}

/**
 * Fires EventBridge's scheduled event at the times of its expression. Skips a time, and logs this, while the previous run is still
 * going on, because two runs at once slow down both on one machine.
 * Throws an Error when the expression is invalid.
 */
export function startSchedule(options: ScheduleOptions): { stop(): void } {
  const { expression, state, everySeconds, ruleArn, log } = options;
  const next = parseSchedule(expression);
  if (state === "DISABLED") {
    log(`The schedule ${expression} is disabled.`);
    return { stop: () => undefined };
  }
  let timer: NodeJS.Timeout | undefined;
  let running = false;

  const fire = async (time: Date) => {
    if (running) {
      log(`The schedule ${expression} of ${ruleArn} skips a run, because the previous one has not ended.`);
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
        // Count from now, so that a machine that slept does not run every missed time.
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
