import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { startStopwatch } from "../clock.ts";
import type { Metric } from "../metrics/metric.ts";
import { noRecorder, type Recorder } from "../metrics/record.ts";
import type { Stored } from "../session/store.ts";
import type { Operation } from "./operations.ts";

/** What a handler says of a request beside its answer. */
export interface Observed extends Stored {
  plan?: string;
}

/** Leaves one metric for each request. A metric that cannot be written never fails a request. */
export interface RequestMeter {
  /** The request has come: its time runs. */
  begin(event: APIGatewayProxyEvent): void;
  /** The request is authorized: it is counted as one of this user. */
  identify(event: APIGatewayProxyEvent, user: string): void;
  /**
   * Adds what the request did. What it does after it was answered, as a request that ran out of time, is recorded at once in a metric
   * of its own, which has no duration and so does not count as a request.
   */
  observe(event: APIGatewayProxyEvent, observed: Observed): void;
  /**
   * The answer is known: its time ends, and the write of the metric begins. Resolves when that is over, in 500 ms at
   * most, for the function is frozen once it has returned. The first answer counts: what is called again waits only.
   */
  end(event: APIGatewayProxyEvent, answer: Answered): Promise<void>;
}

type Answered = Pick<APIGatewayProxyResult, "statusCode" | "body">;

/** A request that is running, or was answered. */
interface Metered {
  /** Milliseconds since the request has come. */
  elapsed: () => number;
  /** Absent = the request was not authorized, or needs no token. */
  user?: string;
  plan?: string;
  stored: Required<Stored>;
  /** Its metric; absent until it is answered. */
  metric?: Metric;
  recording?: Promise<void>;
}

export function createRequestMeter(operation: Operation, recorder: Recorder = noRecorder): RequestMeter {
  const requests = new WeakMap<APIGatewayProxyEvent, Metered>();
  return {
    begin: (event) => void requests.set(event, { elapsed: startStopwatch(), stored: { sessions: 0, messages: 0 } }),
    identify(event, user) {
      const request = requests.get(event);
      if (request) request.user = user;
    },
    observe(event, { plan, sessions = 0, messages = 0 }) {
      const request = requests.get(event);
      if (!request) return;
      if (plan !== undefined) request.plan = plan;
      if (request.metric) void recorder.record(lateMetric(request.metric, { sessions, messages }));
      request.stored.sessions += sessions;
      request.stored.messages += messages;
    },
    async end(event, answer) {
      const request = requests.get(event);
      if (!request) return;
      request.metric ??= requestMetric(operation, answer, request.elapsed(), request);
      request.recording ??= recorder.record(request.metric);
      await request.recording;
    },
  };
}

/** The metric of a request that was answered after so many milliseconds. */
function requestMetric(
  operation: Operation,
  answer: Answered,
  duration: number,
  { user, plan, stored }: Metered,
): Metric {
  return {
    kind: "api.request",
    dimensions: {
      route: `${operation.method} ${operation.path}`,
      status: `${Math.floor(answer.statusCode / 100)}xx`,
      ...(plan === undefined ? {} : { plan }),
    },
    measures: { duration_ms: duration, ...aboveZero(stored) },
    ...(answer.statusCode < 400 ? {} : { error: errorOf(answer) }),
    ...(user === undefined ? {} : { user }),
  };
}

/** What a request has stored after it was answered. Without a duration and a user, it counts neither as a request nor as a user's. */
function lateMetric({ user: _user, ...metric }: Metric, stored: Required<Stored>): Metric {
  return { ...metric, measures: aboveZero(stored) } as Metric;
}

const aboveZero = (stored: Required<Stored>): Stored =>
  Object.fromEntries(Object.entries(stored).filter(([, count]) => count > 0));

/** The code of the problem that was answered. */
function errorOf({ statusCode, body }: Answered): string {
  try {
    return String(JSON.parse(body).code ?? statusCode);
  } catch {
    return String(statusCode);
  }
}
