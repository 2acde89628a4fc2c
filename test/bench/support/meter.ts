import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** The cost of calls to DynamoDB. */
export interface Usage {
  calls: number;
  /** Write request units. */
  wru: number;
  /** Read request units. */
  rru: number;
  /** Billed bytes of searches in vector indexes. */
  vectorBytes: number;
  /** Billed bytes of writes to vector indexes. */
  vectorWriteBytes: number;
  /** Calls by the name of the operation. */
  operations: Record<string, number>;
}

interface Consumed {
  CapacityUnits?: number;
  ReadCapacityUnits?: number;
  WriteCapacityUnits?: number;
  VectorSearchRequestBytes?: number;
  VectorIndexes?: Record<string, { VectorWriteRequestBytes?: number }>;
}

const READS = new Set(["GetItem", "Query", "BatchGetItem", "Scan", "TransactGetItems"]);

/** Makes every call of a client return its consumed capacity, and adds it up. */
export function meter(client: DynamoDBDocumentClient): { measure(work: () => Promise<unknown>): Promise<Usage> } {
  let usage = empty();
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const operation = String(context.commandName).replace("Command", "");
      Object.assign(args.input as object, { ReturnConsumedCapacity: "INDEXES" });
      const result = await next(args);
      const { ConsumedCapacity } = result.output as { ConsumedCapacity?: Consumed | Consumed[] };
      const units = [ConsumedCapacity ?? []].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
      for (const { VectorSearchRequestBytes = 0, VectorIndexes = {} } of [ConsumedCapacity ?? []].flat()) {
        usage.vectorBytes += VectorSearchRequestBytes;
        for (const { VectorWriteRequestBytes = 0 } of Object.values(VectorIndexes)) {
          usage.vectorWriteBytes += VectorWriteRequestBytes;
        }
      }
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
      // Later calls are not part of this measurement.
      const measured = usage;
      usage = empty();
      return measured;
    },
  };
}

const empty = (): Usage => ({ calls: 0, wru: 0, rru: 0, vectorBytes: 0, vectorWriteBytes: 0, operations: {} });
