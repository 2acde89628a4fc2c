import { retention, upkeep } from "./policy.ts";
import { DAY, type RetentionRule } from "./rule.ts";

/** Periods that a deployment has chosen, in seconds, by their names: a row of the policy, `<row>.cold`, or a period of upkeep. */
export type Periods = Record<string, number>;

/** The tables of `policy.ts`. */
export interface Policy {
  retention: typeof retention;
  upkeep: typeof upkeep;
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: DAY, w: 7 * DAY };

/** Maximum seconds of the periods that AWS limits: point-in-time recovery, and messages in a queue. */
const MOST: Record<string, number> = { recovery: 35 * DAY, deadLetters: 14 * DAY };

const rules: Record<string, RetentionRule> = retention;
const upkeepPeriods: Record<string, number> = upkeep;

const names = [
  ...Object.entries(rules).flatMap(([name, { seconds, coldAfterSeconds, sameAs }]) => [
    ...(seconds === null || sameAs ? [] : [name]),
    ...(coldAfterSeconds === undefined ? [] : [`${name}.cold`]),
  ]),
  ...Object.keys(upkeep),
];

/** Reads periods such as `{ archive: "90d" }`. Throws an Error that names every period that is wrong. */
export function parsePeriods(texts: Record<string, unknown>): Periods {
  const problems: string[] = [];
  const periods: Periods = {};
  for (const [name, text] of Object.entries(texts)) {
    const seconds = secondsOf(text);
    const problem = !names.includes(name)
      ? whyUnknown(name)
      : seconds === undefined
        ? `must be a whole number with its unit s, m, h, d or w, such as 90d, not ${text}`
        : whyRefused(name, seconds);
    if (problem) problems.push(`retention.${name} ${problem}`);
    else periods[name] = seconds ?? 0;
  }
  if (problems.length === 0) problems.push(...whyOutOfOrder(periods));
  if (problems.length > 0) throw new Error(`Invalid periods of retention:\n${problems.join("\n")}`);
  return periods;
}

function secondsOf(text: unknown): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhdw])$/.exec(String(text)) ?? [];
  return count === undefined ? undefined : Number(count) * (UNITS[unit] ?? 1);
}

function whyUnknown(name: string): string {
  const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
  if (rule?.sameAs) return `cannot be set: it is always that of ${rule.sameAs}`;
  if (rule) return `cannot be set: no timer deletes this record. ${rule.note}`;
  return `does not exist. The periods are ${names.join(", ")}`;
}

function whyRefused(name: string, seconds: number): string | undefined {
  const rule = rules[name];
  const isWholeDays = !rule || "object" in rule.place;
  if (isWholeDays && seconds % DAY !== 0) return `must be whole days, not ${durationOf(seconds)}`;
  const least = rule?.least ?? (isWholeDays ? DAY : 60);
  if (seconds < least) return `must be at least ${durationOf(least)}, not ${durationOf(seconds)}`;
  const most = MOST[name];
  if (most && seconds > most) return `must be at most ${durationOf(most)}, not ${durationOf(seconds)}`;
  return undefined;
}

/** Checks that no period is shorter than one of its `notShorterThan`, and that data moves to a cold storage class before it is deleted. */
function whyOutOfOrder(periods: Periods): string[] {
  const of = (name: string): number | null => periods[name] ?? rules[name]?.seconds ?? null;
  return Object.entries(rules).flatMap(([name, { notShorterThan = [], coldAfterSeconds }]) => {
    const own = of(name);
    const cold = periods[`${name}.cold`] ?? coldAfterSeconds;
    if (own === null) return [];
    const late =
      cold !== undefined && cold >= own
        ? [`retention.${name}.cold (${durationOf(cold)}) must be shorter than ${name} (${durationOf(own)})`]
        : [];
    const shorter = notShorterThan.flatMap((before) => {
      const least = of(before) ?? 0;
      return own < least
        ? [`retention.${name} (${durationOf(own)}) must not be shorter than ${before} (${durationOf(least)})`]
        : [];
    });
    return [...late, ...shorter];
  });
}

/** The policy with these periods. */
export function withPeriods(periods: Periods): Policy {
  const rows = Object.entries(rules).map(([name, rule]): [string, RetentionRule] => {
    const seconds = periods[rule.sameAs ?? name] ?? rule.seconds;
    const cold = periods[`${name}.cold`] ?? rule.coldAfterSeconds;
    return [name, { ...rule, seconds, ...(cold === undefined ? {} : { coldAfterSeconds: cold }) }];
  });
  const times = Object.entries(upkeepPeriods).map(([name, seconds]) => [name, periods[name] ?? seconds]);
  return {
    retention: Object.fromEntries(rows) as unknown as typeof retention,
    upkeep: Object.fromEntries(times) as unknown as typeof upkeep,
  };
}

/** Sets the periods of this process: a function calls it once, before it reads or writes anything. */
export function setPeriods(periods: Periods): void {
  const changed = withPeriods(periods);
  for (const [name, rule] of Object.entries(changed.retention)) Object.assign(rules[name] ?? {}, rule);
  Object.assign(upkeepPeriods, changed.upkeep);
}

/** Seconds in the largest unit that divides them: `90d`. */
function durationOf(seconds: number): string {
  const [unit, size] = Object.entries({ d: DAY, h: 3600, m: 60, s: 1 }).find(([, each]) => seconds % each === 0) ?? [
    "s",
    1,
  ];
  return `${seconds / size}${unit}`;
}
