import type { Config } from "../../shared/config.ts";
import { createDynamoDB } from "../../shared/dynamodb/client.ts";
import { createTable, type Table } from "../../shared/dynamodb/table.ts";

export const openTable = ({ CONVERSATIONS_TABLE }: Config): Table => createTable(createDynamoDB(), CONVERSATIONS_TABLE);
