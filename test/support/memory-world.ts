import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { createRememberJob } from "../../functions/jobs/remember.ts";
import { sessionKey } from "../../shared/dynamodb/keys.ts";
import { defaultDimensions } from "../../shared/dynamodb/tables.ts";
import { createLexicalEmbedder, LEXICAL_MODEL } from "../../shared/memory/embedder.lexical.ts";
import type { Embedder, Space } from "../../shared/memory/embedder.ts";
import type { FollowDependencies } from "../../shared/memory/follow-branch.ts";
import type { MemoryRecord } from "../../shared/memory/memory.ts";
import type { Layout } from "../../shared/memory/memory-store.ts";
import { createRecall } from "../../shared/memory/recall.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createSession } from "../../shared/session/create-session.ts";
import type { MessageInput } from "../../shared/session/schema.ts";
import type { Engines } from "./engines.ts";
import { createWorld } from "./world.ts";

/** A world in which the test delivers the stream records of messages, any number of times. */
export function createMemoryWorld(
  engines: Engines,
  { embedderOf = ({ dimensions }) => createLexicalEmbedder(dimensions), layout = LEXICAL }: Options = {},
) {
  const world = createWorld(engines);
  const { stores } = world;
  const deps: FollowDependencies = {
    stores,
    memories: world.memories,
    embedderOf,
    firstLayout: layout,
    clock: () => stores.clock(),
  };
  const recall = createRecall(deps);
  const job = createRememberJob(deps);
  let requests = 0;
  const request = () => ({ seed: `request ${requests++}`, at: stores.clock() });

  const records = async (user: string, session: string): Promise<DynamoDBRecord[]> => {
    const { Items = [] } = await engines.dynamodb.send(
      new QueryCommand({
        TableName: engines.tableName,
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :m)",
        ExpressionAttributeValues: { ":pk": sessionKey(user, session), ":m": "M#" },
        ConsistentRead: true,
      }),
    );
    return Items.map((item, n) => ({
      eventName: "INSERT",
      dynamodb: { NewImage: marshall(item) as never, SequenceNumber: String(n) },
    }));
  };

  return {
    ...world,
    deps,
    recall,
    job,
    records,

    /** Appends messages, and creates the session if it does not exist. */
    async say(user: string, session: string, ...messages: (string | Partial<MessageInput>)[]): Promise<void> {
      const anchor = await stores.sessions.findAnchor({ user, id: session });
      if (!anchor || anchor.state === "deleted") {
        await createSession(stores, user, { id: session, ttl_seconds: 3600 }, request(), 3600);
      }
      const inputs = messages.map((message) => ({
        role: "user" as const,
        content: "",
        ...(typeof message === "string" ? { content: message } : message),
      }));
      await appendMessages(stores, { user, id: session }, inputs, request());
    },

    /** Delivers the records of all stored messages of these sessions. */
    async deliver(user: string, ...sessions: string[]): Promise<void> {
      for (const session of sessions) {
        const Records = await records(user, session);
        const { batchItemFailures } = await job({ Records });
        if (batchItemFailures.length > 0) throw new Error("a record failed");
      }
    },

    find: async (user: string, text: string, more: object = {}): Promise<string[]> =>
      (await recall(user, { text, limit: 10, ...more })).map(({ content }) => content),

    /** Returns the contents of all stored memories of a session. */
    async stored(user: string, session: string): Promise<string[]> {
      const all: MemoryRecord[] = [];
      for await (const page of world.memories.ofSession({ user, id: session })) all.push(...page.records);
      return all.map(({ content }) => content);
    },
  };
}

export type MemoryWorld = ReturnType<typeof createMemoryWorld>;

const LEXICAL: Layout = { slot: "b", space: { model: LEXICAL_MODEL, dimensions: defaultDimensions.b } };

interface Options {
  embedderOf?: (space: Space) => Embedder;
  layout?: Layout;
}
