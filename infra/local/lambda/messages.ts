/** What the host and a function's worker thread say to each other. Payloads travel as JSON text, as on Lambda. */
export type ToWorker =
  | { kind: "invoke"; id: string; event: string; deadline: number }
  /** So many bytes of the response stream have reached the client, or nobody wants them any more. */
  | { kind: "consumed"; id: string; bytes: number };

export type FromWorker =
  | { kind: "ready" }
  | { kind: "result"; id: string; payload: string }
  | { kind: "chunk"; id: string; data: Uint8Array }
  /** The response stream is whole; the handler itself may still be running. */
  | { kind: "end"; id: string }
  | { kind: "done"; id: string }
  | { kind: "failed"; id: string; error: FunctionError }
  /** Nothing caught an error. Without the id of the invocation that it belongs to, the worker is about to exit. */
  | { kind: "fatal"; id: string | undefined; error: FunctionError }
  | { kind: "log"; id: string | undefined; level: LogLevel; text: string };

export type LogLevel = "error" | "info";

export interface FunctionError {
  errorType: string;
  errorMessage: string;
  trace?: string[];
  /** For the log only: the error with its causes, as Node prints it. */
  detail?: string;
}

/** What a worker is told when it starts. */
export interface WorkerSetup {
  /** `file.export`, as in the template. */
  handler: string;
  /** Where the bundle is. */
  directory: string;
  functionName: string;
  functionArn: string;
  /** Megabytes. */
  memory: number;
}

/** Bytes of JSON that one invocation may take or give: 6 MB, and what Lambda adds for its envelope. */
export const MAX_PAYLOAD_BYTES = 6_291_556;

/** Whether text is longer than Lambda takes, counting only when the length alone does not tell. */
export function exceedsPayload(text: string): boolean {
  if (text.length > MAX_PAYLOAD_BYTES) return true;
  return text.length * 3 > MAX_PAYLOAD_BYTES && Buffer.byteLength(text) > MAX_PAYLOAD_BYTES;
}
