import { AsyncLocalStorage } from "node:async_hooks";
import { format, inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { loadHandler } from "./load-handler.ts";
import { createResponseStreams, isStreaming } from "./response-stream.ts";
import {
  exceedsPayload,
  type FromWorker,
  type FunctionError,
  type LogLevel,
  type ToWorker,
  type WorkerSetup,
} from "./worker-messages.ts";

// The entry of a function's worker thread: a small version of Lambda's Node.js runtime.

/** The id of the invocation that the running code belongs to. */
const invocation = new AsyncLocalStorage<string>();

const logLevels: Record<string, LogLevel> = {
  error: "error",
  warn: "info",
  log: "info",
  info: "info",
  debug: "info",
  trace: "info",
};

const port = parentPort;
if (!port) throw new Error("this file is the entry of a worker thread");
const setup = workerData as WorkerSetup;
const post = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

/** Reports an uncaught error. If it belongs to an invocation, the worker keeps running for the others. */
const fatal = (errorType: string) => (error: unknown) => {
  const id = invocation.getStore();
  post({ kind: "fatal", id, error: { ...formatError(error), errorType } });
  if (id === undefined) process.exit(1);
};
process.on("uncaughtException", fatal("Runtime.UncaughtException"));
process.on("unhandledRejection", fatal("Runtime.UnhandledPromiseRejection"));

captureConsole();
const streams = createResponseStreams(post);
const loading = loadHandler(setup.directory, setup.handler);
loading.then(
  () => post({ kind: "ready" }),
  (error) => {
    post({ kind: "fatal", id: undefined, error: formatError(error) });
    process.exit(1);
  },
);

port.on("message", (message: ToWorker) => {
  if (message.kind === "invoke") void invocation.run(message.id, invoke, message);
  else streams.consumed(message.id, message.bytes);
});

async function invoke({ id, event, deadline }: ToWorker & { kind: "invoke" }): Promise<void> {
  try {
    const handler = await loading;
    const input: unknown = JSON.parse(event);
    const context = createContext(id, deadline);
    if (isStreaming(handler)) {
      await streams.run(id, handler, input, context);
      post({ kind: "done", id });
      return;
    }
    const payload = serialize(await handler(input, context));
    if (typeof payload === "string") post({ kind: "result", id, payload });
    else post({ kind: "failed", id, error: payload });
  } catch (error) {
    post({ kind: "failed", id, error: formatError(error) });
  }
}

/** Sends console output to the host, with the id of the invocation that wrote it. */
function captureConsole(): void {
  for (const [method, level] of Object.entries(logLevels)) {
    Object.assign(console, {
      [method]: (...parts: unknown[]) => {
        post({ kind: "log", id: invocation.getStore(), level, text: format(...parts) });
      },
    });
  }
}

/** An error as Lambda reports it. Its `detail` also has the causes. */
function formatError(error: unknown): FunctionError {
  const detail = inspect(error, { depth: 4 });
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error), detail };
  return {
    errorType: error.name,
    errorMessage: error.message,
    trace: (error.stack ?? "").split("\n").map((line) => line.trim()),
    detail,
  };
}

function serialize(result: unknown): string | FunctionError {
  let payload: string;
  try {
    payload = JSON.stringify(result) ?? "null";
  } catch (error) {
    return { ...formatError(error), errorType: "Runtime.MarshalError" };
  }
  if (!exceedsPayload(payload)) return payload;
  const errorMessage = `Response payload size (${Buffer.byteLength(payload)} bytes) exceeded maximum allowed payload size (6291556 bytes).`;
  return { errorType: "Function.ResponseSizeTooLarge", errorMessage };
}

function createContext(awsRequestId: string, deadline: number) {
  return {
    awsRequestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: setup.functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: setup.functionArn,
    memoryLimitInMB: String(setup.memory),
    logGroupName: `/aws/lambda/${setup.functionName}`,
    logStreamName: "local",
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}
