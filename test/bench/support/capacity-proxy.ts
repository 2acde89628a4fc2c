import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { Usage } from "./meter.ts";

interface Consumed {
  CapacityUnits?: number;
}

// Functions do not scan. The host does, because it deletes expired items of an external engine itself.
const READS = new Set(["GetItem", "Query", "BatchGetItem"]);
const WRITES = new Set(["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"]);

/** A proxy of a DynamoDB endpoint that adds up the consumed capacity of the calls. */
export async function startCapacityProxy(endpoint: string) {
  const usage: Usage = { calls: 0, wru: 0, rru: 0, vectorBytes: 0, vectorWriteBytes: 0, operations: {} };
  const agent = new Agent({ keepAlive: true });
  const server = createServer(async (incoming, outgoing) => {
    const operation = String(incoming.headers["x-amz-target"] ?? "").replace(/^DynamoDB_20120810\./, "");
    const isMetered = READS.has(operation) || WRITES.has(operation);
    const body = Buffer.concat(await incoming.toArray());
    const sent = isMetered ? JSON.stringify({ ...JSON.parse(body.toString()), ReturnConsumedCapacity: "TOTAL" }) : body;
    const { "content-length": _length, host: _host, ...headers } = incoming.headers;
    const forwarded = request(endpoint + incoming.url, { method: incoming.method, headers, agent }, async (answer) => {
      const received = Buffer.concat(await answer.toArray());
      if (isMetered) add(usage, operation, JSON.parse(received.toString()).ConsumedCapacity);
      outgoing.writeHead(answer.statusCode ?? 500, { "content-type": "application/x-amz-json-1.0" }).end(received);
    });
    forwarded.on("error", () => outgoing.destroy());
    forwarded.end(sent);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Returns the capacity consumed since the last call of this function. */
    take(): Usage {
      const taken = { ...usage, operations: { ...usage.operations } };
      Object.assign(usage, { calls: 0, wru: 0, rru: 0, operations: {} });
      return taken;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

function add(usage: Usage, operation: string, consumed: Consumed | Consumed[] | undefined): void {
  const units = [consumed ?? []].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
  usage.calls++;
  usage.operations[operation] = (usage.operations[operation] ?? 0) + 1;
  if (READS.has(operation)) usage.rru += units;
  else usage.wru += units;
}
