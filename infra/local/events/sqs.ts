export interface Sqs {
  url: string;
  /** Creates the queue if there is none, and gives its URL. */
  ensureQueue(name: string): string;
  send(queueName: string, body: string): Promise<void>;
  close(): Promise<void>;
}

export async function startSqs(_options: {
  /** null = in memory. */
  directory: string | null;
  port?: number;
  log: (line: string) => void;
}): Promise<Sqs> {
  throw new Error("being written");
}
