import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import type { Metric } from "../metrics/metric.ts";
import { noRecorder, type Recorder } from "../metrics/record.ts";
import { headerOf } from "./headers.ts";
import type { Claims } from "./identity.ts";
import type { Operation } from "./operations.ts";

/** What a handler says of a request beside its answer. */
export interface Observed {
  /** Sessions created. */
  sessions?: number;
  /** Messages stored. */
  messages?: number;
  plan?: string;
}

/** Leaves one metric for each request. A metric that cannot be written never fails a request. */
export interface RequestMeter {
  /** The request has come: its time runs. */
  begin(event: APIGatewayProxyEvent): void;
  /** Adds what the request did. */
  observe(event: APIGatewayProxyEvent, observed: Observed): void;
  /**
   * The answer is known: its time ends, and the write of the metric begins. Resolves when that is over, in 500 ms at
   * most, for the function is frozen once it has returned. The first answer counts: what is called again waits only.
   */
  end(event: APIGatewayProxyEvent, answer: Answered): Promise<void>;
}

type Answered = Pick<APIGatewayProxyResult, "statusCode" | "body">;

export function createRequestMeter(operation: Operation, recorder: Recorder = noRecorder): RequestMeter {
  const requests = new WeakMap<APIGatewayProxyEvent, { began: number; observed: Observed; ending?: Promise<void> }>();
  return {
    begin: (event) => void requests.set(event, { began: performance.now(), observed: {} }),
    observe(event, observed) {
      Object.assign(requests.get(event)?.observed ?? {}, observed);
    },
    async end(event, answer) {
      const request = requests.get(event);
      if (!request) return;
      const duration = performance.now() - request.began;
      request.ending ??= recorder.record(requestMetric(operation, event, answer, duration, request.observed));
      await request.ending;
    },
  };
}

/** The metric of a request that was answered after so many milliseconds. */
function requestMetric(
  operation: Operation,
  event: APIGatewayProxyEvent,
  answer: Answered,
  duration: number,
  { plan, ...measures }: Observed,
): Metric {
  const user = userOf(event);
  return {
    kind: "api.request",
    dimensions: {
      route: `${operation.method} ${operation.path}`,
      status: `${Math.floor(answer.statusCode / 100)}xx`,
      ...(plan === undefined ? {} : { plan }),
    },
    measures: { duration_ms: duration, ...measures },
    ...(answer.statusCode < 400 ? {} : { error: errorOf(answer) }),
    ...(user === undefined ? {} : { user }),
  };
}

/** On whose behalf a request that was let through is. */
export function userOf(event: APIGatewayProxyEvent): string | undefined {
  const claims = event.requestContext?.authorizer as Claims | undefined;
  return claims?.sub ? (headerOf(event, "x-user-id") ?? claims.sub) : undefined;
}

/** The code of the problem that was answered. */
function errorOf({ statusCode, body }: Answered): string {
  try {
    return String(JSON.parse(body).code ?? statusCode);
  } catch {
    return String(statusCode);
  }
}
