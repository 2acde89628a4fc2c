import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { createArchive } from "../../shared/archive/archive.s3.ts";
import { createObjects } from "../../shared/archive/objects.s3.ts";
import { createTable } from "../../shared/dynamodb/table.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { archiveSession } from "../../shared/session/archive-session.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { listMessages } from "../../shared/session/list-messages.ts";
import { type MessageRecord, positionOf } from "../../shared/session/message.ts";
import { restoreSession } from "../../shared/session/restore-session.ts";
import { deleteHeader } from "../bench/support/expire.ts";
import { createStores } from "./create-stores.ts";
import type { Engines } from "./engines.ts";

/**
 * Takes one long session through its life in a process of its own, so that the memory use can be measured:
 * `node long-session.ts <DynamoDB endpoint> <S3 endpoint> <messages>`. Prints its observations as JSON.
 */
const [dynamodbEndpoint = "", s3Endpoint = "", count = "1000"] = process.argv.slice(2);
const COUNT = Number(count);
const SIZE = 5000;
const session = { user: "ann", id: `long-${count}` };

const region = "us-east-1";
const credentials = { accessKeyId: "test", secretAccessKey: "secret" };
const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: dynamodbEndpoint, region, credentials }), {
  marshallOptions: { removeUndefinedValues: true },
});
const s3 = new S3Client({ endpoint: s3Endpoint, region, credentials, forcePathStyle: true });
const table = createTable(dynamodb, "conversations");
let now = Date.parse("2026-11-21T12:00:00.000Z");
const stores = createStores(table, {
  archive: createArchive(async () => createObjects(s3, "archive")),
  clock: () => now,
});

/** Text of which half is noise, so that it does not compress well. */
const contentOf = (n: number) =>
  `${n} `.padEnd(SIZE / 2, "the same again ") +
  Array.from({ length: SIZE / 20 }, () => Math.random().toString(36).slice(2, 12).padEnd(10, "x")).join("");

const numberOf = ({ content }: MessageRecord) => Number.parseInt(content, 10);
const peak = () => Math.round(process.resourceUsage().maxRSS / 1024);

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  return [await work(), Math.round(performance.now() - started)];
}

async function page(order: "asc" | "desc", after?: string) {
  const { messages } = await listMessages(stores, session, { order, limit: 30, after });
  return { numbers: messages.map(numberOf), last: positionOf(messages.at(-1) as MessageRecord) };
}

/** Reads all messages page by page, and checks that they are the appended ones, in order. */
async function isWhole(): Promise<boolean> {
  let next = 0;
  for (let after: string | undefined, more = true; more; ) {
    const result = await listMessages(stores, session, { order: "asc", limit: 100, after });
    for (const message of result.messages) if (numberOf(message) !== next++) return false;
    after = positionOf(result.messages.at(-1) as MessageRecord);
    more = result.more;
  }
  return next === COUNT;
}

await createSession(stores, session.user, { id: session.id, ttl_seconds: 1_000_000 }, { seed: "create", at: now }, 60);
const baseline = peak();
for (let n = 0; n < COUNT; n += 99) {
  const inputs = Array.from({ length: Math.min(99, COUNT - n) }, (_, k) => ({
    role: "user" as const,
    content: contentOf(n + k),
  }));
  await appendMessages(stores, session, inputs, { seed: `append ${n}`, at: now });
  now += 1000;
}
const appended = peak();
now += 2_000_000_000;
const expired = await deleteHeader({ dynamodb, tableName: "conversations" } as Engines, session);
const [, archiveMs] = await timed(() => archiveSession(stores, expired));
const archived = peak();
const stub = await stores.sessions.find(session);
const chunk = stub?.archive?.chunks[Math.floor((stub.archive?.chunks.length ?? 0) / 2)];
const [pages, pageMs] = await timed(async () => ({
  first: (await page("asc")).numbers,
  middle: (await page("asc", chunk?.first)).numbers,
  last: (await page("desc")).numbers,
  second: (await page("desc", (await page("desc")).last)).numbers,
}));
const [restored, restoreMs] = await timed(() => restoreSession(stores, session));
console.log(
  JSON.stringify({
    megabytes: { baseline, appended, archived, restored: peak() },
    milliseconds: { archive: archiveMs, pages: pageMs, restore: restoreMs },
    chunks: stub?.archive?.chunks.length,
    objectBytes: stub?.archive?.bytes,
    pages,
    restored: { status: restored.status, message_count: restored.message_count, whole: await isWhole() },
  }),
);
dynamodb.destroy();
s3.destroy();
