import type { InvokeResult, LambdaFunction } from "../lambda/function.ts";
import { isBinary } from "./body.ts";
import { answer, type Exchange, withIds } from "./exchange.ts";
import { type ProxyResponse, readProxyResponse } from "./proxy-response.ts";
import { createStreamedResponse } from "./stream-response.ts";

/** Runs a function for a request, and answers with what it gives: whole, or as it streams. `timeout` in milliseconds. */
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
    answer(current, "INTEGRATION_TIMEOUT", "Endpoint request timed out", `no answer in ${timeout} ms`);
    return;
  }
  if (result.error) {
    failed(current, target, result);
    return;
  }
  const read = readProxyResponse(result.payload);
  if (read) send(current, read);
  else {
    const cause = `malformed Lambda proxy response: ${result.payload.slice(0, 300)}`;
    answer(current, "BAD_GATEWAY", "Internal server error", cause);
  }
}

function send(current: Exchange, read: ProxyResponse): void {
  const { response, request, api } = current;
  if (response.destroyed) return;
  const decode = read.isBase64Encoded && isBinary(request.headers.accept, api.binaryMediaTypes);
  const body = decode ? Buffer.from(read.body, "base64") : Buffer.from(read.body, "utf8");
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
      (streamed.started() ? undefined : "it did not stream"))
    : `the stream did not end in ${timeout} ms`;
  if (cause === undefined) return;
  current.cause = cause;
  if (streamed.started()) {
    // Cutting the connection is the only way left to say that the answer is not whole.
    if (!response.writableEnded) response.destroy();
  } else if (!result) answer(current, "INTEGRATION_TIMEOUT", "Endpoint request timed out");
  else if (result.error) failed(current, target, result);
  else answer(current, "BAD_GATEWAY", "Internal server error");
}

function failed(current: Exchange, target: LambdaFunction, result: InvokeResult): void {
  const tooLarge = result.error?.errorType === "RequestEntityTooLargeException";
  if (tooLarge)
    answer(current, "REQUEST_TOO_LARGE", "Request Too Long", "the event is larger than Lambda takes (6 MB)");
  else answer(current, "BAD_GATEWAY", "Internal server error", describe(target, result));
}

function describe({ label }: LambdaFunction, { error }: InvokeResult): string {
  return error ? `${label} failed: ${error.detail ?? `${error.errorType}: ${error.errorMessage}`}` : "";
}

function head(current: Exchange, { headers }: ProxyResponse): Record<string, string | string[]> {
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
