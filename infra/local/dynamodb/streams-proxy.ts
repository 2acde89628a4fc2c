/** A DynamoDB Streams endpoint on loopback that real SDK clients understand, in front of the engine at `endpoint`. */
export async function startStreamsProxy(_options: {
  endpoint: string;
  port?: number;
}): Promise<{ url: string; close(): Promise<void> }> {
  throw new Error("being written");
}
