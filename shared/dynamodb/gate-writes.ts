import { AsyncLocalStorage } from "node:async_hooks";
import type { Table } from "./table.ts";

const gates = new AsyncLocalStorage<Promise<void>>();

/** Runs work whose writes to gated tables wait for `gate`, and fail with its error. */
export function behindGate<T>(gate: Promise<void>, work: () => Promise<T>): Promise<T> {
  return gates.run(gate, work);
}

/** Returns a table whose writes wait for the gate of the work that makes them. So a write cannot miss a check of the whole request. */
export function gateWrites(table: Table): Table {
  const gated =
    <A extends unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await gates.getStore();
      return write(...args);
    };
  return {
    ...table,
    put: gated(table.put),
    update: gated(table.update),
    transact: gated(table.transact),
    batchWrite: gated(table.batchWrite),
  };
}
