import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { DynamoDBDocumentClient, QueryCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { openErasureKey, openErasures, sessionKey } from "../../../shared/dynamodb/keys.ts";
import type { HostProcess } from "./host-process.ts";

const credentials = { accessKeyId: "local", secretAccessKey: "local" };
const client = { region: "us-east-1", credentials };

/** What an operator does to a local host in another process. */
export function createOperator(host: HostProcess, data: string) {
  // A job can run for 15 minutes.
  const requestHandler = { requestTimeout: 900_000 };
  const lambda = new LambdaClient({ ...client, endpoint: host.endpoints.lambda, requestHandler, maxAttempts: 1 });
  const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({ ...client, endpoint: host.endpoints.dynamodb }), {
    marshallOptions: { removeUndefinedValues: true },
  });

  /** The items of a partition whose sort keys have a prefix. */
  async function items(pk: string, prefix: string): Promise<Record<string, unknown>[]> {
    const { Items = [] } = await dynamodb.send(
      new QueryCommand({
        TableName: host.table,
        KeyConditionExpression: prefix === "" ? "pk = :pk" : "pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues: { ":pk": pk, ...(prefix === "" ? {} : { ":prefix": prefix }) },
        ConsistentRead: true,
      }),
    );
    return Items;
  }

  /** The items of the erasures that are not over. */
  const erasures = () => items(openErasures, "");

  async function set({ pk, sk }: { pk?: unknown; sk?: unknown }, attribute: string, value: unknown): Promise<void> {
    await dynamodb.send(
      new UpdateCommand({
        TableName: host.table,
        Key: { pk, sk },
        UpdateExpression: "SET #name = :value",
        ConditionExpression: "attribute_exists(pk)",
        ExpressionAttributeNames: { "#name": attribute },
        ExpressionAttributeValues: { ":value": value },
      }),
    );
  }

  async function setAll(attribute: string, compute: (item: Record<string, unknown>) => number): Promise<void> {
    for (const item of await erasures()) await set(openErasureKey(String(item.sk)), attribute, compute(item));
  }

  return {
    dynamodb,
    /** Invokes a job, such as `jobs-lake`. Fails when the job does. */
    async run(job: string, event: object = {}): Promise<void> {
      const FunctionName = functionName(data, job);
      const { FunctionError, Payload } = await lambda.send(
        new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }),
      );
      if (FunctionError) throw new Error(`${job}: ${Buffer.from(Payload ?? []).toString()}`);
    },
    /** Starts a job and does not wait for it, as a schedule does. */
    async start(job: string, event: object): Promise<void> {
      const input = { FunctionName: functionName(data, job), Payload: JSON.stringify(event) };
      await lambda.send(new InvokeCommand({ ...input, InvocationType: "Event" }));
    },
    /** Changes a text attribute of all messages of a session. */
    async setMessages(
      user: string,
      session: string,
      attribute: string,
      change: (text: string) => string,
    ): Promise<void> {
      for (const item of await items(sessionKey(user, session), "M#")) {
        await set(item, attribute, change(String(item[attribute])));
      }
    },
    erasures,
    /** Makes all erasures that are not over older, by so many milliseconds. */
    ageErasures: (by: number) => setAll("since", ({ since }) => Number(since) - by),
    /** Ends the lease of a worker that was killed. */
    freeErasures: () => setAll("held_until", () => 0),
    close() {
      lambda.destroy();
      dynamodb.destroy();
    },
  };
}

export type Operator = ReturnType<typeof createOperator>;

/** The name of a function of the host, by its name in infra/functions.ts. */
function functionName(data: string, name: string): string {
  const assembly = path.join(data, "cdk.out");
  for (const file of readdirSync(assembly).filter((each) => each.endsWith(".template.json"))) {
    const { Resources } = JSON.parse(readFileSync(path.join(assembly, file), "utf8"));
    const [id] = Object.keys(Resources).filter(
      (each) =>
        Resources[each].Type === "AWS::Lambda::Function" && each.startsWith(`${name.replaceAll("-", "")}Function`),
    );
    if (id) return `${file.replace(".template.json", "")}-${id}`.slice(-64);
  }
  throw new Error(`there is no function ${name}`);
}
