import { setTimeout as sleep } from "node:timers/promises";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { S3Client } from "@aws-sdk/client-s3";
import { createLakeCopy } from "../../../infra/cli/sql/lake-copy.ts";
import { openLakeDatabase } from "../../../infra/cli/sql/lake-database.ts";
import type { LakeContent } from "../../../shared/lake/lake-content.ts";
import { showJson, showText } from "../../../shared/lake/lake-content.ts";
import { saidBy, type Written } from "./conversations.ts";

const client = { region: "us-east-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

interface Places {
  endpoints: { s3: string; lambda: string };
  bucket: string;
  lakeFunction: string;
  lakeContent: LakeContent;
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
    const rows = await rowsOf("select session_id, is_current, content, parts from messages");
    const found = new Map<string, number>();
    const keyOf = (session: string, isCurrent: boolean, content: string | null, parts: string | null) =>
      JSON.stringify([session, isCurrent, saidBy(content ?? "", parts === null ? null : JSON.parse(parts))]);
    for (const [session, isCurrent, content, parts] of rows as [string, boolean, string | null, string | null][]) {
      const key = keyOf(session, isCurrent, content, parts);
      found.set(key, (found.get(key) ?? 0) + 1);
    }
    const stock = { sessions: 0, messages: 0, lost: 0, duplicated: 0 };
    for (const { session, messages, current } of written) {
      const onBranch = new Set(current);
      for (const [index, { content, parts }] of messages.entries()) {
        // The lake may hold content without personal data.
        const shown = [showText(content, places.lakeContent), showJson(parts, places.lakeContent)] as const;
        const key = keyOf(session, onBranch.has(index), ...shown);
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
