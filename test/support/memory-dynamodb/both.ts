/** A client that sends every call to the embedded engine and to the engine in memory. It throws if the answers differ. */
import { isDeepStrictEqual } from "node:util";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { conversations, metrics } from "../../../shared/dynamodb/tables.ts";
import type { Engines } from "../engines.ts";
import { type Command, createMemoryDynamoDB } from "./client.ts";

/** The result of a call. */
type Outcome = { answer: unknown } | { error: unknown };

export function createBoth({ dynamodb, tableName, metricsTable }: Engines) {
  const memory = createMemoryDynamoDB({ [tableName]: conversations, [metricsTable]: metrics });
  const calls: Record<string, number> = {};

  const send = async (command: Command): Promise<unknown> => {
    const name = command.constructor.name;
    const embedded = await outcomeOf(() => dynamodb.send(command as never));
    const ours = await outcomeOf(async () => memory.execute(command));
    const [theirs, mine] = [comparable(embedded), comparable(ours)];
    if (!isDeepStrictEqual(theirs, mine)) {
      const text = (value: unknown) => JSON.stringify(value, null, 1);
      throw new Error(`${name} ${text(command.input)}\nthe embedded engine: ${text(theirs)}\nin memory: ${text(mine)}`);
    }
    const kind = `${name}${"error" in embedded ? " refused" : ""}`;
    calls[kind] = (calls[kind] ?? 0) + 1;
    if ("error" in embedded) throw embedded.error;
    return embedded.answer;
  };

  return { client: { send } as unknown as DynamoDBDocumentClient, calls };
}

async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await work() };
  } catch (error) {
    return { error };
  }
}

/** The part of a result that must be equal: without error messages, the order of a batch, and later digits of a distance. */
function comparable(outcome: Outcome): unknown {
  if ("error" in outcome) {
    const { name, Item, CancellationReasons } = outcome.error as Record<string, unknown>;
    const reasons = (CancellationReasons as { Code?: string; Item?: unknown }[] | undefined)?.map((reason) => ({
      code: reason.Code,
      item: plain(reason.Item),
    }));
    return { name, item: plain(Item), reasons };
  }
  const {
    Item,
    Items,
    Attributes,
    Count,
    LastEvaluatedKey,
    Responses,
    SearchResults,
    UnprocessedKeys,
    UnprocessedItems,
  } = outcome.answer as Record<string, unknown>;
  const responses = Object.values((Responses ?? {}) as Record<string, unknown[]>).map((items) =>
    items.map((item) => JSON.stringify(plain(item))).sort(),
  );
  const found = (SearchResults as { Item: unknown; Score: number }[] | undefined)
    ?.map(({ Item: item, Score }) => ({ item: plain(item), score: Math.round(Score * 1e5) / 1e5 }))
    .sort((a, b) => a.score - b.score || (JSON.stringify(a.item) < JSON.stringify(b.item) ? -1 : 1));
  const rest = { Item, Items, Attributes, Count, LastEvaluatedKey, UnprocessedKeys, UnprocessedItems };
  return plain({ ...rest, responses, found });
}

/** Copies a value with its attributes sorted by name, without undefined ones. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, plain(inner)]));
}
