import { Cron } from "croner";

/** Milliseconds. */
const units: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Returns the next time after a moment; undefined = never again. */
type NextFire = (after: Date) => Date | undefined;

/**
 * Reads EventBridge's `rate(15 minutes)` or `cron(0 12 ? * MON-FRI *)`, in UTC. Throws an Error that says what is wrong.
 * Rates fire at whole multiples since 1970, so that a restart does not delay them.
 */
export function parseSchedule(expression: string): NextFire {
  const [, kind, inner] = /^(rate|cron)\((.+)\)$/.exec(expression.trim()) ?? [];
  if (kind === "rate" && inner !== undefined) return parseRate(inner, expression);
  if (kind === "cron" && inner !== undefined) return parseCron(inner, expression);
  throw new Error(`The schedule "${expression}" is neither rate(...) nor cron(...).`);
}

function parseRate(inner: string, expression: string): NextFire {
  const [, value, unit, plural] = /^(\d+) (minute|hour|day)(s?)$/.exec(inner.trim()) ?? [];
  const period = Number(value) * (units[unit ?? ""] ?? 0);
  if (!(period > 0) || (Number(value) === 1) === (plural === "s")) {
    throw new Error(`The schedule "${expression}" is not a rate such as rate(1 hour) or rate(15 minutes).`);
  }
  return (after) => new Date((Math.floor(after.getTime() / period) + 1) * period);
}

function parseCron(inner: string, expression: string): NextFire {
  const fields = inner.trim().split(/\s+/);
  const [minute, hour, day, month, weekday, year] = fields;
  if (fields.length !== 6 || day === undefined || weekday === undefined) {
    throw new Error(`The schedule "${expression}" does not have six fields: minute hour day month weekday year.`);
  }
  if ((day === "?") === (weekday === "?")) {
    throw new Error(`The schedule "${expression}" must have "?" as its day of the month or its day of the week.`);
  }
  // AWS writes the last Friday as 6L and Saturday as L. Croner writes 6#L and 7.
  const croners = weekday.replace(/^L$/i, "7").replace(/([1-7]|[A-Z]{3})L$/i, "$1#L");
  const pattern = ["0", minute, hour, day, month, croners, year].join(" ");
  let cron: Cron;
  try {
    // As in Quartz, 1 is Sunday and a step may begin at a number: 0/15.
    const quartz = { alternativeWeekdays: true, sloppyRanges: true };
    cron = new Cron(pattern, { paused: true, timezone: "UTC", mode: "7-part", ...quartz });
  } catch (cause) {
    throw new Error(`The schedule "${expression}" cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  return (after) => cron.nextRun(after) ?? undefined;
}
