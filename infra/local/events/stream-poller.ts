export interface StreamPollerOptions {
  /** Of the engine (not of the streams proxy). */
  endpoint: string;
  streamArn: string;
  /** Resolved properties of an AWS::Lambda::EventSourceMapping. */
  mapping: Record<string, unknown>;
  /** Runs the function; rejects when the function fails. */
  invoke: (event: object) => Promise<unknown>;
  checkpointFile: string;
  /** Puts Lambda's invocation record into the mapping's on-failure destination. Called only when the mapping has one. */
  sendToDestination: (record: object) => Promise<void>;
  log: (line: string) => void;
  warn: (line: string) => void;
}

export interface StreamPoller {
  /** Waits for running invocations (bounded). */
  stop(): Promise<void>;
}

/** Throws when the mapping has a filter pattern that Lambda would refuse. */
export function startStreamPoller(_options: StreamPollerOptions): StreamPoller {
  throw new Error("being written");
}
