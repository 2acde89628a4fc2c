import { setTimeout as sleep } from "node:timers/promises";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { createLakeCopy } from "../../../infra/cli/sql/lake-copy.ts";
import { openLakeDatabase } from "../../../infra/cli/sql/lake-database.ts";
import type { Written } from "./conversations.ts";

const client = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

interface Places {
  endpoints: { s3: string; lambda: string };
  bucket: string;
  lakeFunction: string;
}

/** Builds the lake, copies it to `directory`, and compares it session by session with the written conversations. */
export async function takeLakeStock(places: Places, directory: string, written: readonly Written[]) {
  const lambda = new LambdaClient({ ...client, endpoint: places.endpoints.lambda });
  const s3 = new S3Client({ ...client, endpoint: places.endpoints.s3, forcePathStyle: true });
  // The stream delivers the last changes of the archive within seconds.
  await sleep(5000);
  const { FunctionError, Payload } = await lambda.send(new InvokeCommand({ FunctionName: places.lakeFunction }));
  if (FunctionError) throw new Error(`the lake was not built: ${Buffer.from(Payload ?? []).toString()}`);

  const database = await openLakeDatabase(createLakeCopy(s3, places.bucket, directory));
  try {
    const rowsOf = async (sql: string) => {
      const all: unknown[][] = [];
      for await (const { rows } of database.query(sql)) all.push(...rows);
      return all;
    };
    const rows = await rowsOf("select session_id, content, count(*) from messages group by all");
    const found = new Map(rows.map(([session, content, count]) => [`${session}\n${content}`, Number(count)]));
    const stock = { sessions: 0, messages: 0, lost: 0, duplicated: 0 };
    for (const { session, contents } of written) {
      for (const content of contents) {
        const key = `${session}\n${content}`;
        const left = found.get(key) ?? 0;
        if (left === 0) stock.lost++;
        else found.set(key, left - 1);
      }
    }
    // The remaining messages are duplicates, or were never written.
    for (const left of found.values()) stock.duplicated += left;
    const [[messages, sessions] = []] = await rowsOf("select count(*), count(distinct session_key) from messages");
    return { ...stock, messages: Number(messages), sessions: Number(sessions) };
  } finally {
    database.close();
    lambda.destroy();
    s3.destroy();
  }
}
