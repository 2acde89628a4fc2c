import { randomUUID } from "node:crypto";
import { type Call, type Instance, type Outcome, type StreamSink, startInstance } from "./instance.ts";
import { exceedsPayload, type FunctionError, type LogLevel } from "./worker-messages.ts";

/** Workers per function with `--isolate`. Further invocations wait. */
const MAX_ISOLATED_INSTANCES = 10;
/** A shared worker gets a larger heap, because it runs many invocations at once. */
const SHARED_HEAP_FACTOR = 4;

export interface FunctionSpec {
  name: string;
  /** Readable name. @default the name */
  label?: string;
  arn: string;
  /** Directory of the bundle. */
  directory: string;
  /** `file.export`. */
  handler: string;
  /** Megabytes. */
  memory: number;
  /** Seconds. */
  timeout: number;
  /** Maximum concurrent invocations; absent = no limit. */
  reservedConcurrency?: number | undefined;
  /** The complete environment (see `lambdaEnvironment`). */
  environment: Record<string, string>;
}

export interface LambdaFunction {
  readonly name: string;
  /** Readable name. */
  readonly label: string;
  readonly arn: string;
  /** Invokes the function once. An error of the function is in the result and does not reject. */
  invoke(event: string, stream?: StreamSink): Promise<InvokeResult>;
  stop(): Promise<void>;
}

export interface InvokeResult {
  requestId: string;
  /** JSON. Of a streaming function: the stream as text, or "" with a sink. */
  payload: string;
  /** Present when the function failed. */
  error?: FunctionError;
}

interface FunctionOptions {
  /** Runs one invocation at a time per worker, as Lambda does. */
  isolate: boolean;
  log(level: LogLevel, functionName: string, requestId: string | undefined, text: string): void;
}

/** Creates a function. Its bundle is loaded at the first invocation. */
export function createFunction(spec: FunctionSpec, { isolate, log }: FunctionOptions): LambdaFunction {
  const capacity = isolate ? 1 : Number.POSITIVE_INFINITY;
  const maxInstances = isolate ? Math.min(MAX_ISOLATED_INSTANCES, spec.reservedConcurrency ?? 10) : 1;
  const instances = new Set<Instance>();
  const waiting: { call: Call; settle(outcome: Outcome): void }[] = [];
  let underWay = 0;
  let stopped = false;

  function start(): Instance {
    const instance = startInstance({
      setup: {
        handler: spec.handler,
        directory: spec.directory,
        functionName: spec.name,
        functionArn: spec.arn,
        memory: spec.memory,
      },
      environment: spec.environment,
      heap: isolate ? spec.memory : spec.memory * SHARED_HEAP_FACTOR,
      log: (level, id, text) => log(level, spec.name, id, text),
      onChange: () => {
        if (!instance.usable() && instance.running() === 0) instances.delete(instance);
        next();
      },
    });
    instances.add(instance);
    return instance;
  }

  function free(): Instance | undefined {
    const usable = [...instances].filter((instance) => instance.usable());
    const found = usable.find((instance) => instance.running() < capacity);
    return found ?? (usable.length < maxInstances && !stopped ? start() : undefined);
  }

  function next(): void {
    while (waiting.length > 0) {
      const instance = free();
      if (!instance) return;
      const next = waiting.shift();
      if (next) void instance.run(next.call).then(next.settle);
    }
  }

  return {
    name: spec.name,
    label: spec.label ?? spec.name,
    arn: spec.arn,
    async invoke(event, sink) {
      const requestId = randomUUID();
      const refuse = (errorType: string, errorMessage: string) => failure(requestId, { errorType, errorMessage });
      if (stopped) return refuse("ServiceException", "The local host is stopping");
      if (exceedsPayload(event)) return refuse("RequestEntityTooLargeException", "The event is larger than 6 MB");
      if (underWay >= (spec.reservedConcurrency ?? Number.POSITIVE_INFINITY)) {
        return refuse("TooManyRequestsException", "Rate Exceeded.");
      }
      underWay += 1;
      try {
        const outcome = await new Promise<Outcome>((settle) => {
          waiting.push({ call: { id: requestId, event, timeout: spec.timeout * 1000, sink }, settle });
          next();
        });
        return "error" in outcome ? failure(requestId, outcome.error) : { requestId, ...outcome };
      } finally {
        underWay -= 1;
      }
    },
    async stop() {
      stopped = true;
      await Promise.all([...instances].map((instance) => instance.terminate()));
      const error = { errorType: "ServiceException", errorMessage: "The local host is stopping" };
      for (const { settle } of waiting.splice(0)) settle({ error });
    },
  };
}

function failure(requestId: string, error: FunctionError): InvokeResult {
  const { errorType, errorMessage, trace } = error;
  return { requestId, payload: JSON.stringify({ errorType, errorMessage, trace }), error };
}
