import { startStopwatch } from "../clock.ts";
import type { Metric } from "../metrics/metric.ts";
import { noRecorder, type Recorder } from "../metrics/recorder.ts";
import type { Stored } from "../session/store.ts";
import type { Answered, HttpContext, Middleware, RequestMeter } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";

/** Middleware: starts a meter for each request. The chain ends the meter after the answer. */
export function measure(operation: Operation, recorder: Recorder = noRecorder): Middleware {
  return {
    before: (request) => {
      // Copy the context, because Lambda owns the original.
      request.context = { ...request.context, meter: startMeter(operation, recorder) } as HttpContext;
    },
  };
}

function startMeter(operation: Operation, recorder: Recorder): RequestMeter {
  const elapsed = startStopwatch();
  const stored = { sessions: 0, messages: 0 };
  let user: string | undefined;
  let plan: string | undefined;
  let metric: Metric | undefined;
  let recording: Promise<void> | undefined;

  const metricOf = (answer: Answered): Metric => ({
    kind: "api.request",
    dimensions: {
      route: `${operation.method} ${operation.path}`,
      status: `${Math.floor(answer.statusCode / 100)}xx`,
      ...(plan === undefined ? {} : { plan }),
    },
    measures: { duration_ms: elapsed(), ...aboveZero(stored) },
    ...(answer.statusCode < 400 ? {} : { error: errorOf(answer) }),
    ...(user === undefined ? {} : { user }),
  });

  return {
    setUser(id) {
      user = id;
    },
    observe({ plan: named = plan, sessions = 0, messages = 0 }) {
      plan = named;
      if (metric) void recorder.record(lateMetric(metric, { sessions, messages }));
      stored.sessions += sessions;
      stored.messages += messages;
    },
    async end(answer) {
      metric ??= metricOf(answer);
      recording ??= recorder.record(metric);
      await recording;
    },
  };
}

/** The metric of work that ended after the answer. It has no duration and no user, so it counts neither as a request nor for a user. */
function lateMetric({ user: _user, ...metric }: Metric, stored: Required<Stored>): Metric {
  return { ...metric, measures: aboveZero(stored) } as Metric;
}

const aboveZero = (stored: Required<Stored>): Stored =>
  Object.fromEntries(Object.entries(stored).filter(([, count]) => count > 0));

/** Returns the code in the problem that was sent. */
function errorOf({ statusCode, body }: Answered): string {
  try {
    return String(JSON.parse(body).code ?? statusCode);
  } catch {
    return String(statusCode);
  }
}
