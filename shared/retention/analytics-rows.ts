import { DAY, type RetentionRule } from "./rule.ts";

/** The rows of the retention table for metrics, events, the lake and reports. */
export const analyticsRows = {
  rawMetric: {
    record: "raw performance metric",
    place: { item: "raw-metric" },
    seconds: 30 * DAY,
    least: DAY,
    note: "One item per request, LLM call, embedding call or search. Folded into hourly aggregates.",
  },
  hourlyAggregate: {
    record: "hourly aggregate",
    place: { item: "hourly-aggregate" },
    seconds: 90 * DAY,
    least: 3 * DAY,
    notShorterThan: ["rawMetric"],
    note: "From the start of its hour. Folded into daily aggregates.",
  },
  dailyAggregate: {
    record: "daily aggregate",
    place: { item: "daily-aggregate" },
    seconds: 365 * DAY,
    least: 62 * DAY,
    notShorterThan: ["hourlyAggregate"],
    note: "From the start of its day. Folded into monthly aggregates.",
  },
  monthlyAggregate: {
    record: "monthly aggregate",
    place: { item: "monthly-aggregate" },
    seconds: null,
    note: "A bounded number per month.",
  },
  event: {
    record: "event (feedback, conversion, engagement, content, custom)",
    place: { item: "event" },
    seconds: 365 * DAY,
    least: 3 * DAY,
    note: "Exported to the lake on the next day. An event that is not exported yet is kept until it is. Counts and values stay in the aggregates.",
  },
  jobState: {
    record: "state of a job",
    place: { item: "job" },
    seconds: null,
    note: "One item per checkpoint and per last success.",
  },
  lakeDay: {
    record: "mark of a day that the lake must build",
    place: { item: "lake-day" },
    seconds: null,
    note: "One per day. Deleted when the day is built and has no messages that will reach their age.",
  },
  lakeBasis: {
    record: "settings that the lake's days are built with",
    place: { item: "lake-basis" },
    seconds: null,
    note: "One item. When the content of the lake or the period of its messages changes, the messages of all days are built again.",
  },
  lakeMessages: {
    record: "interactions (lake messages)",
    place: { object: "lake/messages/" },
    seconds: 180 * DAY,
    note: "Can be rebuilt from the archive at any time.",
  },
  lakeSessions: {
    record: "session summaries (lake)",
    place: { object: "lake/session_summaries/" },
    seconds: 730 * DAY,
    notShorterThan: ["lakeMessages"],
    note: "Counts, durations and costs; no text. They outlive their archive objects, unless their day is built again after that.",
  },
  lakeEvents: {
    record: "events (lake)",
    place: { object: "lake/events/" },
    seconds: 730 * DAY,
    notShorterThan: ["event"],
    note: "Exported daily, a year before they expire in the table.",
  },
  lakeAudit: {
    record: "audit records (lake)",
    place: { object: "lake/audit/" },
    seconds: 400 * DAY,
    notShorterThan: ["audit"],
    note: "Exported daily. Keyed hashes of users, no content.",
  },
  lakeAggregates: {
    record: "daily aggregates (lake)",
    place: { object: "lake/aggregates/" },
    seconds: null,
    note: "Numbers of the system, no personal data.",
  },
  report: {
    record: "monthly business report",
    place: { object: "reports/" },
    seconds: null,
    note: "A JSON document and an HTML page per month.",
  },
} as const satisfies Record<string, RetentionRule>;
