import type { InvokeResult, LambdaFunction } from "../lambda/lambda-function.ts";
import { answer, type Exchange, withIds } from "./exchange.ts";
import { type ProxyResponse, readProxyResponse } from "./proxy-response.ts";
import { createStreamedResponse } from "./stream-response.ts";

/** Invokes a function for a request and sends its response, buffered or streamed. `timeout` in milliseconds. */
export async function integrate(
  current: Exchange,
  target: LambdaFunction,
  { streaming, timeout }: { streaming: boolean; timeout: number },
): Promise<void> {
  await (streaming ? stream(current, target, timeout) : buffer(current, target, timeout));
}

async function buffer(current: Exchange, target: LambdaFunction, timeout: number): Promise<void> {
  const result = await within(timeout, target.invoke(JSON.stringify(current.event)));
  if (!result) {
    const cause = `the function did not respond within ${timeout} ms`;
    return answer(current, "INTEGRATION_TIMEOUT", "Endpoint request timed out", cause);
  }
  if (result.error) return failed(current, target, result);
  const read = readProxyResponse(result.payload);
  if (read) send(current, read);
  else {
    const cause = `malformed Lambda proxy response: ${result.payload.slice(0, 300)}`;
    answer(current, "BAD_GATEWAY", "Internal server error", cause);
  }
}

function send(current: Exchange, read: ProxyResponse): void {
  const { response, request } = current;
  if (response.destroyed) return;
  const body = Buffer.from(read.body, "utf8");
  response.writeHead(read.status, { ...head(current, read), "content-length": body.length });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function stream(current: Exchange, target: LambdaFunction, timeout: number): Promise<void> {
  const { response } = current;
  const streamed = createStreamedResponse(response, (read) => response.writeHead(read.status, head(current, read)));
  const result = await within(timeout, target.invoke(JSON.stringify(current.event), streamed));
  const cause = result
    ? ((result.error && describe(target, result)) ??
      streamed.problem() ??
      (streamed.started() ? undefined : "the function did not write to its response stream"))
    : `the stream did not end within ${timeout} ms`;
  if (cause === undefined) return;
  current.cause = cause;
  if (streamed.started()) {
    // Only closing the connection can tell the client that the response is incomplete.
    if (!response.writableEnded) response.destroy();
  } else if (!result) answer(current, "INTEGRATION_TIMEOUT", "Endpoint request timed out");
  else if (result.error) failed(current, target, result);
  else answer(current, "BAD_GATEWAY", "Internal server error");
}

function failed(current: Exchange, target: LambdaFunction, result: InvokeResult): void {
  const tooLarge = result.error?.errorType === "RequestEntityTooLargeException";
  if (tooLarge) answer(current, "REQUEST_TOO_LARGE", "Request Too Long", "the event exceeds Lambda's limit of 6 MB");
  else answer(current, "BAD_GATEWAY", "Internal server error", describe(target, result));
}

function describe({ label }: LambdaFunction, { error }: InvokeResult): string {
  return error ? `${label} failed: ${error.detail ?? `${error.errorType}: ${error.errorMessage}`}` : "";
}

function head(current: Exchange, { headers }: ProxyResponse): Record<string, string> {
  return withIds(current, { "content-type": "application/json", ...headers });
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
