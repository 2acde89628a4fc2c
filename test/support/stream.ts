import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import type { StreamTrigger } from "../../infra/function-spec.ts";
import { functions } from "../../infra/functions.ts";
import { createStreamReader } from "../../infra/local/dynamodb/stream-reader.ts";
import { compileFilter } from "../../infra/local/events/filter-pattern.ts";
import type { Engines } from "./engines.ts";

/** Reads the stream of a job with the filters of its event source mapping, and further ones. */
export async function createStream(
  { dynamodb, tableName, exportTable, endpoints }: Engines,
  job: "jobs-archive" | "jobs-remember" | "jobs-build-export" | "jobs-audit",
  further: readonly object[] = [],
) {
  const reader = createStreamReader(endpoints.dynamodb);
  const { trigger }: { trigger: StreamTrigger } = functions[job];
  const TableName = { table: tableName, exportTable, auditOutbox: "audit-outbox" }[trigger.table ?? "table"];
  const { Table } = (await dynamodb.send(new DescribeTableCommand({ TableName }) as never)) as Description;
  const arn = Table.LatestStreamArn;
  const filters = [...trigger.filters, ...further].map(compileFilter);
  const positions = new Map<string, string>();

  /** Returns the records since the last call. */
  return async (): Promise<DynamoDBRecord[]> => {
    const found: DynamoDBRecord[] = [];
    for (const { shardId } of await reader.shards(arn)) {
      let iterator: string | undefined = await reader.iterator(arn, shardId, positions.get(shardId));
      while (iterator) {
        const page = await reader.records(iterator, arn);
        found.push(...(page.records as unknown as DynamoDBRecord[]));
        if (page.lastSequenceNumber) positions.set(shardId, page.lastSequenceNumber);
        iterator = page.count > 0 ? page.next : undefined;
      }
    }
    return found.filter((record) => filters.some((matches) => matches(record)));
  };
}

interface Description {
  Table: { LatestStreamArn: string };
}
