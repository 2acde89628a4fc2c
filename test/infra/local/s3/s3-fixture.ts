import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { CreateBucketCommand, GetObjectCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { startS3 } from "../../../../infra/local/s3/s3-server.ts";

export const credentials = { accessKeyId: "local", secretAccessKey: "secret" };

export interface S3Fixture {
  server: Awaited<ReturnType<typeof startS3>>;
  client: S3Client;
  directory: string;
  /** Lines that the server logged. */
  lines: string[];
  /** Lists the names of the files with bodies. */
  files(): Promise<string[]>;
  text(key: string): Promise<string>;
  stop(): Promise<void>;
}

export const bucket = "test-bucket";

/** Starts a server in a directory of its own, with an empty bucket. */
export async function startFixture(): Promise<S3Fixture> {
  const directory = await mkdtemp(path.join(tmpdir(), "s3-"));
  const lines: string[] = [];
  const server = await startS3({ directory, ...credentials, log: (line) => lines.push(line) });
  const client = createClient(server.url);
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    server,
    client,
    directory,
    lines,
    files: () => bodyFiles(directory),
    text: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return (await Body?.transformToString()) ?? "";
    },
    stop: async () => {
      client.destroy();
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}

export function createClient(endpoint: string, options: S3ClientConfig = {}): S3Client {
  return new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials, maxAttempts: 1, ...options });
}

export async function bodyFiles(directory: string): Promise<string[]> {
  const entries = await readdir(path.join(directory, "objects"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** Returns the HTTP status and the name of the error that a call rejects with. */
export async function failure(call: Promise<unknown>): Promise<{ status: number | undefined; name: string }> {
  try {
    await call;
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return { status: $metadata?.httpStatusCode, name };
  }
  throw new Error("The call succeeded, but the test expects it to fail.");
}
