import { createServer } from "node:http";
import path from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { startMemocha } from "../../infra/cli/start/start-memocha.ts";
import { unusedGrants } from "../../infra/local/iam/grants.ts";
import { listen } from "../../infra/local/listen.ts";
import { createLog } from "../../infra/local/log.ts";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { useEverything } from "./full-run.ts";

/** Grants that the run may leave unused, and why each of them is needed. */
const reasons: [RegExp, string][] = [
  [/^Custom::S3AutoDeleteObjects/, "CDK's own function, which runs when a stack is destroyed"],
  [/ dynamodb:PutItem .*AuditOutbox/, "For the first use of act-as on a day, which may come with any request"],
  [/ s3:ListBucket /, "Without it S3 answers 403, not 404, when an object is not there"],
  [/ s3:AbortMultipartUpload /, "For an upload of several parts that fails half-way"],
  [
    /^(chat-completions|chat-turn|chat-ui-send|mcp-call|messages-append|sessions-patch|sessions-restore) dynamodb:DeleteItem .*table/,
    "For memories of a session that somebody deletes while the request archives it",
  ],
  [
    /^(sessions-patch|jobs-archive) s3:(DeleteObject|GetObject) /,
    "For an object that another run writes, or makes needless, while this one archives the session",
  ],
  [
    /^(chat-completions|chat-turn|chat-ui-send|mcp-call|messages-append|sessions-patch|sessions-restore) (s3:DeleteObject .*\/files\/|dynamodb:BatchGetItem )/,
    "For the files of a session that somebody deletes while the request archives it",
  ],
  [
    /^jobs-reconcile (s3:DeleteObject .*\/files\/|dynamodb:BatchGetItem )/,
    "For the files that a deletion or a reset leaves when it breaks off",
  ],
  [
    /^chat-(completions|turn|ui-send) s3:(GetObject|PutObject) .*\/files\//,
    "For the files of messages, which few conversations have",
  ],
  [
    /^chat-(completions|turn|ui-send) dynamodb:BatchGetItem /,
    "For users who have had more forgotten than their summary names",
  ],
  [/^chat-stream dynamodb:PutItem .*Conversations/, "For the answer of a turn whose function died"],
  [
    /^chat-(ui-)?follow (dynamodb:(PutItem|Query) .*Conversations|s3:GetObject)/,
    "For an answer that ends or dies between two looks",
  ],
  [
    /^chat-ui-read (dynamodb:BatchGetItem|s3:GetObject) /,
    "For the URLs of files in a chat, which are signed with the function's own permissions, and for an archived one",
  ],
  [/ dynamodb:(PutItem|BatchWriteItem) .*Metrics/, "One metric goes by PutItem, several by BatchWriteItem"],
  [/^jobs-reembed dynamodb:ConditionCheckItem /, "For a message that jobs-remember has missed"],
  [/^jobs-remember s3:GetObject /, "For a branch that became current right before its session was archived"],
  [
    /^jobs-erase s3:(PutObject|DeleteObjectVersion) .*\/lake\//,
    "For partitions with rows of other users, and for older versions, which the local S3 does not keep",
  ],
  [
    /^jobs-erase dynamodb:ConditionCheckItem /,
    "For a session whose header TTL has deleted and which no archiver has seen",
  ],
  [
    /^erasures-get secretsmanager:GetSecretValue /,
    "For users who read their own receipt. The run reads it as an admin",
  ],
  [/^jobs-report s3:GetObject /, "Not read on the first three days of a month, when the report is made again"],
  [/^system-state dynamodb:UpdateItem .*Metrics/, "For a new deployment, in which no job has run yet"],
  [/^jobs-housekeeping dynamodb:GetItem .*Conversations/, "For a session that is being archived during the audit"],
];

const temporary = temporaryDirectory();
afterAll(temporary.remove);

test("a run of every route and job uses every grant, except those with a reason", { timeout: 300_000 }, async () => {
  const provider = await startProvider();
  vi.stubEnv("OPENAI_BASE_URL", provider.url);
  const errors: string[] = [];
  const log = createLog({
    verbose: false,
    write: (line) => void (/ (error|warning) /.test(line) && errors.push(line)),
  });
  // Far more sessions than the run creates.
  const context = { maxSessionsPerUser: "1000" };
  const host = await startMemocha({ data: path.join(temporary.directory, "data"), port: 0, ttlSweep: 1, log }, context);
  try {
    await useEverything(host);
  } finally {
    await host.stop();
    await provider.close();
    vi.unstubAllEnvs();
  }
  expect(errors).toEqual([]);
  expect(unusedGrants(host.grants()).filter((grant) => !reasons.some(([pattern]) => pattern.test(grant)))).toEqual([]);
});

/** A provider of chat and of embeddings. All texts mean the same to it. */
async function startProvider(): Promise<{ url: string; close(): Promise<void> }> {
  const chat = await startFakeOpenAI();
  chat.always({ text: "I cannot say." });
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    if (request.url !== "/embeddings") {
      const answer = await fetch(chat.url + request.url, { method: "POST", body });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(await answer.text());
      return;
    }
    const { input, dimensions } = JSON.parse(body.toString()) as { input: string[]; dimensions: number };
    const embedding = Array.from({ length: dimensions }, (_, n) => (n === 0 ? 1 : 0));
    const usage = { prompt_tokens: input.length, total_tokens: input.length };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ data: input.map((_, index) => ({ index, embedding })), usage }));
  });
  const { url, close } = await listen(server, 0);
  return {
    url,
    async close() {
      await close();
      await chat.close();
    },
  };
}
