import type { APIGatewayProxyResult } from "aws-lambda";
import { startStopwatch } from "../clock.ts";
import type { Metric } from "../metrics/metric.ts";
import { noRecorder, type Recorder } from "../metrics/recorder.ts";
import type { Stored } from "../session/store.ts";
import type { HttpContext, Middleware } from "./http-request.ts";
import type { Operation } from "./operations/operation.ts";

/** Facts about a request that its answer does not show. */
export interface Observed extends Stored {
  plan?: string;
}

/** Records one metric per request. A metric that cannot be written does not fail the request. */
export interface RequestMeter {
  /** Counts the request for this user. */
  setUser(user: string): void;
  /**
   * Adds what the request did. Work that ends after the answer, of a request that ran out of time, is recorded at once in a
   * metric of its own: that has no duration, so it does not count as a request.
   */
  observe(observed: Observed): void;
  /**
   * Stops the time and starts to write the metric. Resolves when the write is over, after 500 ms at most. The first call
   * counts; later calls only wait.
   */
  end(answer: Answered): Promise<void>;
}

type Answered = Pick<APIGatewayProxyResult, "statusCode" | "body">;

/** Middleware: gives each request a meter, whose time runs from now on. The chain ends the meter after the answer. */
export function measure(operation: Operation, recorder: Recorder = noRecorder): Middleware {
  return {
    before: (request) => {
      // A copy, so that the middlewares do not change an object that is not theirs.
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

/** The metric of work that ended after the answer. Without a duration and a user, it counts neither as a request nor for a user. */
function lateMetric({ user: _user, ...metric }: Metric, stored: Required<Stored>): Metric {
  return { ...metric, measures: aboveZero(stored) } as Metric;
}

const aboveZero = (stored: Required<Stored>): Stored =>
  Object.fromEntries(Object.entries(stored).filter(([, count]) => count > 0));

/** The code in the problem that was answered. */
function errorOf({ statusCode, body }: Answered): string {
  try {
    return String(JSON.parse(body).code ?? statusCode);
  } catch {
    return String(statusCode);
  }
}
