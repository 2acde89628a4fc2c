/**
 * A line of the access log, as API Gateway's context variables. Routes instead of paths, no user, no address: nothing
 * that a user wrote or is known by.
 */
export const accessLogFields = {
  request_id: "$context.requestId",
  trace_id: "$context.xrayTraceId",
  time: "$context.requestTimeEpoch",
  method: "$context.httpMethod",
  route: "$context.resourcePath",
  operation: "$context.operationName",
  status: "$context.status",
  latency_ms: "$context.responseLatency",
  integration_latency_ms: "$context.integration.latency",
  integration_status: "$context.integration.integrationStatus",
  authorizer_latency_ms: "$context.authorizer.latency",
  authorizer_status: "$context.authorizer.status",
  response_bytes: "$context.responseLength",
  error: "$context.error.responseType",
} as const;
