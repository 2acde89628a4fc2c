import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { startDynamo } from "../../../infra/local/dynamodb/start-dynamo.ts";
import { firstToken } from "./first-token.ts";

const PACKAGES = ["@langchain/community@1.1.29", "@langchain/core@1.4.0", "@aws-sdk/client-dynamodb@3.1162.0"];

const TABLE = "langchain";

/** LangChain's chat history behind a plain server, on a DynamoDB engine of its own. */
export interface LangChain {
  /** Process ids of the server and of its engine. */
  pids: { server: number; engine: number };
  /** Runs a turn. Resolves when it has ended, with the time of the first token. */
  turn(session: string, content: string): Promise<number>;
  /** Stores messages of these texts, the first of them the user's. */
  fill(session: string, contents: readonly string[]): Promise<void>;
}

/** Installs LangChain into a temporary folder, and runs it. `keep` stops it and deletes the folder. Throws when npm cannot install it. */
export async function startLangChain(provider: string, keep: AsyncDisposableStack): Promise<LangChain> {
  const home = mkdtempSync(path.join(tmpdir(), "memocha-langchain-"));
  keep.defer(() => rmSync(home, { recursive: true, force: true }));
  writeFileSync(path.join(home, "package.json"), '{"private":true,"type":"module"}');
  const quietly = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"];
  await promisify(execFile)("npm", ["install", ...quietly, ...PACKAGES], { cwd: home });
  copyFileSync(path.join(import.meta.dirname, "langchain-server.mjs"), path.join(home, "server.mjs"));
  const dynamo = await startDynamo({ directory: path.join(home, "dynamodb"), log: () => undefined });
  keep.defer(() => dynamo.close());
  const credentials = { accessKeyId: "test", secretAccessKey: "secret" };
  const dynamodb = new DynamoDBClient({ endpoint: dynamo.endpoint, region: "us-east-1", credentials });
  await dynamodb.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    }),
  );
  const child = spawn(process.execPath, ["server.mjs", dynamo.endpoint, provider, TABLE], {
    cwd: home,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  keep.defer(async () => {
    child.kill("SIGTERM");
    await exited;
    dynamodb.destroy();
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const url = String(line).trim();

  return {
    pids: { server: child.pid ?? 0, engine: dynamo.pid },
    async turn(session, content) {
      const response = await fetch(url, { method: "POST", body: JSON.stringify({ session, content }) });
      return firstToken(response, '"content":"word', "data: stored");
    },
    async fill(session, contents) {
      const messages = contents.map((text, n) => ({
        M: { type: { S: n % 2 === 0 ? "human" : "ai" }, text: { S: text }, additional_kwargs: { S: "{}" } },
      }));
      const Item = { id: { S: session }, messages: { L: messages } };
      await dynamodb.send(new PutItemCommand({ TableName: TABLE, Item }));
    },
  };
}
