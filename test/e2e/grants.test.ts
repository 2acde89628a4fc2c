import { createServer } from "node:http";
import path from "node:path";
import { Writable } from "node:stream";
import { afterAll, describe, expect, it, vi } from "vitest";
import { startMemocha } from "../../infra/cli/start/start-memocha.ts";
import { unusedGrants } from "../../infra/local/iam/grants.ts";
import { listen } from "../../infra/local/listen.ts";
import type { Log } from "../../infra/local/log.ts";
import { hashId } from "../../shared/hash.ts";
import { impersonal, places } from "../../shared/privacy/registry.ts";
import { retention } from "../../shared/retention/policy.ts";
import type { RetentionRule } from "../../shared/retention/rule.ts";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { startFakeOpenAI } from "../support/fake-openai.ts";
import { kindOf } from "../support/item-kinds.ts";
import { sharedAssembly } from "../support/shared-assembly.ts";
import { USER, type Used, useEverything } from "./full-run.ts";

/** Grants that the run may leave unused, and why each of them is needed. */
const reasons: [RegExp, string][] = [
  [/^Custom::S3AutoDeleteObjects/, "CDK's own function, which runs when a stack is destroyed"],
  [/ dynamodb:PutItem .*AuditOutbox/, "For the first use of act-as on a day, which may come with any request"],
  [/ s3:ListBucket /, "Without it S3 answers 403, not 404, when an object is not there"],
  [/ s3:AbortMultipartUpload /, "For an upload of several parts that fails half-way"],
  [
    /^(chat-completions|chat-turn|chat-ui-send|mcp-call|messages-append|sessions-patch|sessions-restore) dynamodb:DeleteItem .*table/,
    "For memories of a session that another request deletes while the request archives it",
  ],
  [
    /^(sessions-patch|jobs-archive) s3:(DeleteObject|GetObject) /,
    "For an object that another run writes, or makes needless, while this one archives the session",
  ],
  [
    /^(chat-completions|chat-turn|chat-ui-send|mcp-call|messages-append|sessions-patch|sessions-restore) (s3:DeleteObject .*\/files\/|dynamodb:BatchGetItem )/,
    "For the files of a session that another request deletes while the request archives it",
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
  [
    /^(sessions-create|chat-completions|chat-turn|chat-ui-send|mcp-call) dynamodb:(DeleteItem|ConditionCheckItem) .*Conversations/,
    "For a session with the id of one whose time is over and that is still stored",
  ],
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
  [/^jobs-erase cognito-idp:/, "For users with an account in the user pool. The local issuer keeps no accounts"],
  [/^jobs-report s3:GetObject /, "Not read on the first three days of a month, when the report is made again"],
  [/^system-state dynamodb:UpdateItem .*Metrics/, "For a new deployment, in which no job has run yet"],
  [/^jobs-housekeeping dynamodb:GetItem .*Conversations/, "For a session that is being archived during the audit"],
];

const temporary = temporaryDirectory();
afterAll(temporary.remove);

const errors: string[] = [];
/** What the functions log. */
const logged: string[] = [];
let used: Used;
let grants: string[];

describe("a run of every route and job", () => {
  it("uses every grant, except those with a reason, and logs no error", { timeout: 600_000 }, async () => {
    await run();
    expect(errors).toEqual([]);
    expect(grants.filter((grant) => !reasons.some(([pattern]) => pattern.test(grant)))).toEqual([]);
  });

  it("stores only what the retention policy and the registry of personal data list, and everything that they list", () => {
    const seen = new Set<string>();
    for (const [table, item] of used.items) {
      const kind = kindOf(table, item);
      const [name, rule] = rules.find(([, { place }]) => "item" in place && place.item === kind) ?? [];
      expect([table, item.pk, item.sk, registered(name)]).toEqual([table, item.pk, item.sk, true]);
      if (rule?.seconds === null) expect([kind, item.expires_at]).toEqual([kind, undefined]);
      seen.add(name ?? "");
    }
    for (const key of used.keys) {
      const names = rules.filter(([, { place }]) => "object" in place && key.startsWith(place.object));
      expect([key, names.map(([name]) => registered(name))]).toEqual([key, [true]]);
      seen.add(names[0]?.[0] ?? "");
    }
    expect([...seen].sort()).toEqual(rules.map(([name]) => name).sort());
  });

  it("names the user in no item that the registry calls impersonal, and in no other than it says", () => {
    const named = new Set<string>();
    for (const [table, item] of used.items) {
      const text = JSON.stringify(item);
      if (![USER, encodeURIComponent(USER), hashId(USER)].some((id) => text.includes(id))) continue;
      named.add(kindOf(table, item) ?? "");
    }
    const personal = rules.filter(([name]) => !impersonal.includes(name)).map(([, { place }]) => place);
    expect([...named].filter((kind) => !personal.some((place) => "item" in place && place.item === kind))).toEqual([]);
    for (const kind of ["audit", "erasure-receipt"]) expect(named.has(kind)).toBe(false);
  });

  it("logs neither the user nor what the user says", () => {
    expect(logged.length).toBeGreaterThan(50);
    const texts = [USER, encodeURIComponent(USER), ...used.texts].filter((text) => text.length >= 8);
    expect(texts.length).toBeGreaterThan(20);
    expect(logged.filter((line) => texts.some((text) => line.includes(text)))).toEqual([]);
  });
});

async function run(): Promise<void> {
  const provider = await startProvider();
  vi.stubEnv("OPENAI_BASE_URL", provider.url);
  const problem = (text: string, more = "") => void errors.push(`${text} ${more}`);
  const log: Log = {
    info: () => undefined,
    request: ({ cause }) => void (cause && problem(cause)),
    detail: (text) => void logged.push(text),
    warn: problem,
    error: problem,
  };
  const [assembly, data] = [await sharedAssembly(), path.join(temporary.directory, "data")];
  const host = await startMemocha({ assembly, data, port: 0, ttlSweep: 1, log });
  try {
    used = await useEverything(host);
    grants = unusedGrants(host.grants());
  } finally {
    await host.stop();
    await provider.close();
    vi.unstubAllEnvs();
  }
}

const rules = Object.entries(retention) as [keyof typeof retention, RetentionRule][];
const rows: readonly string[] = [...places.flatMap(({ records }) => records as readonly string[]), ...impersonal];
const registered = (name?: string) => name !== undefined && rows.includes(name);

/** A provider of chat and of embeddings. All texts mean the same to it. */
async function startProvider(): Promise<{ url: string; close(): Promise<void> }> {
  const chat = await startFakeOpenAI();
  let hasFailed = false;
  chat.always({ text: "I cannot say." });
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    if (request.url !== "/embeddings") {
      if (body.includes("answer slowly")) chat.next({ text: "I take my time.", perToken: 1000 });
      if (body.includes("fail once") && !hasFailed) {
        hasFailed = true;
        chat.next({ status: 500 });
      }
      const answer = await fetch(chat.url + request.url, { method: "POST", body });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      await answer.body?.pipeTo(Writable.toWeb(response));
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
