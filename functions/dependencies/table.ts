import type { Config } from "../../shared/config.ts";
import { createDynamoDB } from "../../shared/dynamodb/client.ts";
import { createTable, type Table } from "../../shared/dynamodb/table.ts";

/** One client a function: its tables share connections. */
let client: ReturnType<typeof createDynamoDB> | undefined;

function open(name: string): Table {
  client ??= createDynamoDB();
  return createTable(client, name);
}

export const openTable = ({ CONVERSATIONS_TABLE }: Config): Table => open(CONVERSATIONS_TABLE);

export const openMetricsTable = ({ METRICS_TABLE }: Config): Table => open(METRICS_TABLE);
