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

/** Throws when the expression cannot be read. */
export function startSchedule(_options: ScheduleOptions): { stop(): void } {
  throw new Error("being written");
}
