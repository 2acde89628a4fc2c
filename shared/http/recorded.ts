import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import type { Metric } from "../metrics/metric.ts";
import type { Recorder } from "../metrics/record.ts";
import { headerOf } from "./headers.ts";
import type { HttpHandler } from "./http-handler.ts";
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

/**
 * The handler, leaving one metric for each request. It is written as soon as the answer is known, which waits for that
 * one write: a function is frozen once it has answered. A metric that cannot be written never fails a request.
 */
export function recorded(
  operation: Operation,
  recorder: Recorder,
  handler: HttpHandler,
  observedOf: (event: APIGatewayProxyEvent) => Observed | undefined,
): HttpHandler {
  return async (event, context) => {
    const started = performance.now();
    const response = await handler(event, context);
    await recorder.record(requestMetric(operation, event, response, performance.now() - started, observedOf(event)));
    return response;
  };
}

/** The metric of a request that was answered after so many milliseconds. */
export function requestMetric(
  operation: Operation,
  event: APIGatewayProxyEvent,
  response: APIGatewayProxyResult,
  duration: number,
  observed: Observed | undefined,
): Metric {
  const { plan, ...measures } = observed ?? {};
  const user = userOf(event);
  return {
    kind: "api.request",
    dimensions: {
      route: `${operation.method} ${operation.path}`,
      status: `${Math.floor(response.statusCode / 100)}xx`,
      ...(plan === undefined ? {} : { plan }),
    },
    measures: { duration_ms: duration, ...measures },
    ...(response.statusCode < 400 ? {} : { error: errorOf(response) }),
    ...(user === undefined ? {} : { user }),
  };
}

/** On whose behalf a request that was let through is. */
function userOf(event: APIGatewayProxyEvent): string | undefined {
  const claims = event.requestContext?.authorizer as Claims | undefined;
  return claims?.sub ? (headerOf(event, "x-user-id") ?? claims.sub) : undefined;
}

/** The code of the problem that was answered. */
function errorOf({ statusCode, body }: APIGatewayProxyResult): string {
  try {
    return String(JSON.parse(body).code ?? statusCode);
  } catch {
    return String(statusCode);
  }
}
