export interface DynamoOptions {
  /** Where the database lives; null = nothing is kept after `close`. */
  directory: string | null;
  /** Directory of the stream pollers' checkpoints: records below all of them are deleted at start-up. */
  checkpoints?: string;
  log: (line: string) => void;
}

export interface Dynamo {
  endpoint: string;
  /** Process id of the engine. */
  readonly pid: number;
  /** Deletes expired items, as DynamoDB's TTL does. Resolves with how many. */
  sweepTtl(): Promise<number>;
  close(): Promise<void>;
}

export async function startDynamo(_options: DynamoOptions): Promise<Dynamo> {
  throw new Error("being written");
}
