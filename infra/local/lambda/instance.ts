import { Worker } from "node:worker_threads";
import type { FromWorker, FunctionError, LogLevel, ToWorker, WorkerSetup } from "./worker-messages.ts";

/** Milliseconds to load a bundle at most. Lambda allows 10 s and then retries once. */
const INIT_LIMIT = 20_000;

/** An execution environment of a function: a worker thread that has loaded the bundle. */
export type Instance = ReturnType<typeof startInstance>;

export interface Call {
  id: string;
  event: string;
  /** Milliseconds after the bundle is loaded, as on Lambda. */
  timeout: number;
  /** Receives the response stream. Without it, the stream becomes the payload. */
  sink: StreamSink | undefined;
}

/** Receives a streamed response. */
export interface StreamSink {
  /** Call `consumed` when the client has received the data. */
  onChunk(data: Uint8Array, consumed: () => void): void;
  onEnd(): void;
}

export type Outcome = { payload: string } | { error: FunctionError };

/** A running call. */
interface Entry extends Call {
  chunks: Uint8Array[];
  settle(outcome: Outcome): void;
  timer?: NodeJS.Timeout;
}

interface InstanceOptions {
  setup: WorkerSetup;
  environment: Record<string, string>;
  /** Heap limit in megabytes. V8 ends only this worker when it exceeds the limit. */
  heap: number;
  log(level: LogLevel, id: string | undefined, text: string): void;
  /** Called when an invocation or the worker has ended. */
  onChange(): void;
}

/** Starts a worker thread for a function. */
export function startInstance({ setup, environment, heap, log, onChange }: InstanceOptions) {
  const calls = new Map<string, Entry>();
  let ready = false;
  let retired = false;
  let exited = false;
  let lastError: FunctionError | undefined;

  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: setup,
    env: environment,
    argv: [],
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: heap },
    name: setup.functionName,
  });
  const send = (message: ToWorker) => worker.postMessage(message);
  const initTimer = setTimeout(() => {
    lastError = timedOut("init", INIT_LIMIT);
    void worker.terminate();
  }, INIT_LIMIT);

  worker.on("message", receive);
  worker.on("error", (error: Error & { code?: string }) => {
    lastError ??= { errorType: error.code ?? error.name, errorMessage: error.message };
  });
  worker.on("exit", (code) => {
    exited = true;
    clearTimeout(initTimer);
    const error = lastError ?? { errorType: "Runtime.ExitError", errorMessage: `Runtime exited with status ${code}` };
    for (const call of calls.values()) end(call, { error });
    onChange();
  });
  worker.stdout.on("data", (text: Buffer) => log("info", undefined, String(text)));
  worker.stderr.on("data", (text: Buffer) => log("error", undefined, String(text)));

  function receive(message: FromWorker): void {
    if (message.kind === "ready") {
      ready = true;
      clearTimeout(initTimer);
      for (const call of calls.values()) dispatch(call);
    } else if (message.kind === "fatal") {
      crash(message.id, message.error);
    } else if (message.kind === "log") {
      log(message.level, message.id, message.text);
    } else {
      const call = calls.get(message.id);
      if (call) progress(call, message);
      else if (message.kind === "chunk") send({ kind: "consumed", id: message.id, bytes: message.data.length });
    }
  }

  function progress(
    call: Entry,
    message: Extract<FromWorker, { id: string; kind: Exclude<FromWorker["kind"], "log"> }>,
  ) {
    const { id } = call;
    if (message.kind === "chunk") {
      const bytes = message.data.length;
      const consumed = () => {
        if (!exited) send({ kind: "consumed", id, bytes });
      };
      if (call.sink) return call.sink.onChunk(message.data, consumed);
      call.chunks.push(message.data);
      consumed();
    } else if (message.kind === "end") call.sink?.onEnd();
    else if (message.kind === "result") end(call, { payload: message.payload });
    else if (message.kind === "done") end(call, { payload: Buffer.concat(call.chunks).toString() });
    else end(call, { error: message.error });
  }

  function dispatch(call: Entry): void {
    const { id, event, timeout } = call;
    call.timer = setTimeout(() => expire(call), timeout);
    send({ kind: "invoke", id, event, deadline: Date.now() + timeout });
  }

  /**
   * Fails the invocation that timed out. Lambda ends the environment. Here, other invocations may share the worker, so it ends only
   * after them. If it is stuck in a loop, they time out too.
   */
  function expire(call: Entry): void {
    retired = true;
    end(call, { error: timedOut(call.id, call.timeout) });
  }

  /** An uncaught error fails its invocation. If it belongs to none, the worker exits and all its invocations fail. */
  function crash(id: string | undefined, error: FunctionError): void {
    retired = true;
    if (error.detail) log("error", id, error.detail);
    const call = id === undefined ? undefined : calls.get(id);
    if (id === undefined) lastError = error;
    else if (call) end(call, { error });
    else if (calls.size === 0) void worker.terminate();
  }

  function end(call: Entry, outcome: Outcome): void {
    if (!calls.delete(call.id)) return;
    clearTimeout(call.timer);
    call.settle(outcome);
    if (retired && calls.size === 0 && !exited) void worker.terminate();
    onChange();
  }

  return {
    /** Number of running invocations. */
    running: () => calls.size,
    /** Whether it accepts further invocations. */
    usable: () => !retired && !exited,
    run: (call: Call) =>
      new Promise<Outcome>((settle) => {
        const entry: Entry = { ...call, chunks: [], settle };
        calls.set(call.id, entry);
        if (ready) dispatch(entry);
      }),
    async terminate(): Promise<void> {
      retired = true;
      await worker.terminate();
    },
  };
}

function timedOut(id: string, milliseconds: number): FunctionError {
  const seconds = (milliseconds / 1000).toFixed(2);
  return {
    errorType: "Sandbox.Timedout",
    errorMessage: `RequestId: ${id} Error: Task timed out after ${seconds} seconds`,
  };
}
