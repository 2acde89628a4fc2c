/** Messages from the host to a function's worker thread. Payloads are JSON text, as on Lambda. */
export type ToWorker =
  | { kind: "invoke"; id: string; event: string; deadline: number }
  /** The client has received these bytes of the response stream, or has disconnected. */
  | { kind: "consumed"; id: string; bytes: number };

/** Messages from a worker thread to the host. */
export type FromWorker =
  | { kind: "ready" }
  | { kind: "result"; id: string; payload: string }
  | { kind: "chunk"; id: string; data: Uint8Array }
  /** The response stream has ended. The handler may still be running. */
  | { kind: "end"; id: string }
  | { kind: "done"; id: string }
  | { kind: "failed"; id: string; error: FunctionError }
  /** An uncaught error. If it belongs to no invocation, `id` is undefined and the worker exits. */
  | { kind: "fatal"; id: string | undefined; error: FunctionError }
  | { kind: "log"; id: string | undefined; level: LogLevel; text: string };

export type LogLevel = "error" | "info";

export interface FunctionError {
  errorType: string;
  errorMessage: string;
  trace?: string[];
  /** The error with its causes as Node prints it, for the log. */
  detail?: string;
}

/** The settings of a worker. */
export interface WorkerSetup {
  /** `file.export`, as in the template. */
  handler: string;
  /** Directory of the bundle. */
  directory: string;
  functionName: string;
  functionArn: string;
  /** Megabytes. */
  memory: number;
}

/** Bytes of an event or a response at most: 6 MB and Lambda's envelope. */
const MAX_PAYLOAD_BYTES = 6_291_556;

/** Whether a text exceeds this limit. Counts bytes only when the length does not decide. */
export function exceedsPayload(text: string): boolean {
  if (text.length > MAX_PAYLOAD_BYTES) return true;
  return text.length * 3 > MAX_PAYLOAD_BYTES && Buffer.byteLength(text) > MAX_PAYLOAD_BYTES;
}
