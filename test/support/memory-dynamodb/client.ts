/**
 * A small DynamoDB in memory, behind the SDK client's `send`. It carries out the calls of `shared/dynamodb/table.ts` at once, in
 * their order. `conformance.test.ts` compares it with the embedded engine.
 */
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { TableSpec } from "../../../shared/dynamodb/tables.ts";
import { type Lag, REPLICA } from "./create-views.ts";
import { invalid } from "./errors.ts";
import { attributeOf, compileUpdate, type Item } from "./expressions.ts";
import { query, searchVectors } from "./read.ts";
import {
  type Change,
  createTableData,
  type Expressions,
  placeholdersOf,
  project,
  type TableData,
  type Write,
} from "./table-data.ts";
import { copyOf, isEqual } from "./values.ts";

/** Maximum of items in one call. */
const MAX_BATCH_GET = 100;
const MAX_BATCH_WRITE = 25;
const MAX_TRANSACTION = 100;

/** A command of the SDK. */
export interface Command {
  constructor: { name: string };
  input: object;
}

interface MemoryOptions {
  /** Delays changes of replicas and indexes. @default no delay */
  lag?: (table: string, ...change: Parameters<Lag>) => void;
  /** Called with every change, like the stream. */
  onChange?: (table: string, change: Change) => void;
}

export function createMemoryDynamoDB(specs: Record<string, TableSpec>, { lag, onChange }: MemoryOptions = {}) {
  const tables = new Map(
    Object.entries(specs).map(([name, spec]) => [
      name,
      createTableData(spec, {
        lag: lag && ((...change) => lag(name, ...change)),
        onChange: (change) => onChange?.(name, change),
      }),
    ]),
  );

  const tableOf = ({ TableName }: { TableName?: string }): TableData => {
    const table = tables.get(TableName ?? "");
    if (!table) throw new Error(`no such table: ${TableName}`);
    return table;
  };

  // biome-ignore lint/suspicious/noExplicitAny: each operation knows its own input.
  const operations: Record<string, (input: any) => object> = {
    GetCommand(input) {
      const item = tableOf(input).get(input.Key);
      return item ? { Item: project(item, input, placeholdersOf(input)) } : {};
    },
    PutCommand: (input) => written(input, "Put"),
    UpdateCommand: (input) => written(input, "Update"),
    DeleteCommand: (input) => written(input, "Delete"),
    QueryCommand: (input) => query(tableOf(input), input),
    SearchVectorsCommand: (input) => searchVectors(tableOf(input), input),
    TransactWriteCommand({ TransactItems }) {
      transact(TransactItems);
      return {};
    },
    BatchGetCommand: ({ RequestItems }) => ({ Responses: mapOf(RequestItems, batchGet), UnprocessedKeys: {} }),
    BatchWriteCommand({ RequestItems }) {
      mapOf(RequestItems, batchWrite);
      return { UnprocessedItems: {} };
    },
  };

  /** Carries out a command. Returns or throws what the SDK does. */
  function execute(command: Command): object {
    const operation = operations[command.constructor.name];
    if (!operation) throw new Error(`the command is not known: ${command.constructor.name}`);
    return operation(command.input);
  }

  return {
    execute,
    client: { send: async (command: Command) => execute(command) } as unknown as DynamoDBDocumentClient,
    table: (name: string): TableData => tableOf({ TableName: name }),
  };

  function written(input: Write & { TableName?: string; ReturnValues?: string }, verb: Write["verb"]) {
    const { before, after } = tableOf(input).write({ ...input, verb });
    const attributes = returned(input, before, after);
    return attributes ? { Attributes: copyOf(attributes) } : {};
  }

  function transact(actions: readonly Record<string, Write & { TableName?: string }>[]): void {
    if (actions.length === 0 || actions.length > MAX_TRANSACTION) throw invalid("the transaction has too many actions");
    const writes = actions.flatMap((action) =>
      Object.entries(action).map(([verb, input]) => ({ ...input, verb: verb as Write["verb"] })),
    );
    const names = new Set(writes.map(({ TableName }) => TableName));
    const [name] = names;
    if (names.size !== 1 || name === undefined) throw new Error("transactions over several tables are not known");
    tableOf({ TableName: name }).transact(writes);
  }

  function batchGet(name: string, input: Expressions & { Keys: Item[]; ConsistentRead?: boolean }): Item[] {
    const table = tableOf({ TableName: name });
    const placeholders = placeholdersOf(input);
    distinct(input.Keys, MAX_BATCH_GET);
    const items = input.Keys.map((key) => {
      if (input.ConsistentRead) return table.get(key);
      const { pk } = table.keyOf(key);
      return table.views
        .view(REPLICA)
        .partition(pk)
        .find((item) => isEqual(table.keyOf(item), table.keyOf(key)));
    });
    return items.flatMap((item) => (item ? [project(item, input, placeholders)] : []));
  }

  function batchWrite(name: string, requests: { PutRequest?: { Item: Item }; DeleteRequest?: { Key: Item } }[]): void {
    const table = tableOf({ TableName: name });
    distinct(
      requests.map(({ PutRequest, DeleteRequest }) => table.keyOf(PutRequest?.Item ?? DeleteRequest?.Key)),
      MAX_BATCH_WRITE,
    );
    for (const { PutRequest, DeleteRequest } of requests) {
      if (PutRequest) table.write({ verb: "Put", Item: PutRequest.Item });
      if (DeleteRequest) table.write({ verb: "Delete", Key: DeleteRequest.Key });
    }
  }
}

function mapOf<T, R>(requests: Record<string, T>, work: (name: string, request: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(requests).map(([name, request]) => [name, work(name, request)]));
}

function distinct(keys: readonly object[], most: number): void {
  if (keys.length === 0 || keys.length > most) throw invalid("the batch has too many items");
  if (new Set(keys.map((key) => JSON.stringify(key))).size < keys.length) {
    throw invalid("Provided list of item keys contains duplicates");
  }
}

/** The attributes that a write returns. */
function returned(input: Write & { ReturnValues?: string }, before: Item | null, after: Item | null): Item | null {
  switch (input.ReturnValues ?? "NONE") {
    case "NONE":
      return null;
    case "ALL_OLD":
      return before;
    case "ALL_NEW":
      return after;
    case "UPDATED_OLD":
      return before && updatedIn(input, before);
    default:
      throw new Error(`ReturnValues is not known: ${input.ReturnValues}`);
  }
}

/** The attributes that an update names and the item has. */
function updatedIn(input: Write, item: Item): Item | null {
  const placeholders = placeholdersOf(input);
  const paths = compileUpdate(input.UpdateExpression ?? "").map(({ path }) => attributeOf(path, placeholders));
  const names = paths.filter((name) => name in item);
  return names.length > 0 ? Object.fromEntries(names.map((name) => [name, item[name]])) : null;
}
