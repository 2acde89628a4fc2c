import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** What calls to DynamoDB cost. */
export interface Usage {
  calls: number;
  /** Write request units. */
  wru: number;
  /** Read request units. */
  rru: number;
  /** Bytes that searches of vector indexes are billed for. */
  vectorBytes: number;
  /** Calls by the name of the operation. */
  operations: Record<string, number>;
}

interface Consumed {
  CapacityUnits?: number;
  ReadCapacityUnits?: number;
  WriteCapacityUnits?: number;
  VectorSearchRequestBytes?: number;
}

const READS = new Set(["GetItem", "Query", "BatchGetItem", "Scan", "TransactGetItems"]);

/** Has every call of a client say what it consumed, and adds it up. */
export function meter(client: DynamoDBDocumentClient): { measure(work: () => Promise<unknown>): Promise<Usage> } {
  let usage = empty();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const operation = String(context.commandName).replace("Command", "");
      Object.assign(args.input as object, { ReturnConsumedCapacity: "TOTAL" });
      const result = await next(args);
      const { ConsumedCapacity } = result.output as { ConsumedCapacity?: Consumed | Consumed[] };
      const units = [ConsumedCapacity ?? []].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
      for (const consumed of [ConsumedCapacity ?? []].flat())
        usage.vectorBytes += consumed.VectorSearchRequestBytes ?? 0;
      usage.calls++;
      usage.operations[operation] = (usage.operations[operation] ?? 0) + 1;
      if (READS.has(operation)) usage.rru += units;
      else usage.wru += units;
      return result;
    },
    { step: "initialize", name: "consumedCapacity", override: true },
  );
  return {
    async measure(work) {
      usage = empty();
      await work();
      return usage;
    },
  };
}

const empty = (): Usage => ({ calls: 0, wru: 0, rru: 0, vectorBytes: 0, operations: {} });
