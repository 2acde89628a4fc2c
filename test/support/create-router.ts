import type { HttpHandler } from "../../shared/http/chain.ts";
import { type Operation, type OperationId, operations } from "../../shared/http/operations.ts";

/** Finds the operation and the handler of a request, as API Gateway does. */
export function createRouter(handlers: Partial<Record<OperationId, HttpHandler>>) {
  const routes = (Object.entries(handlers) as [OperationId, HttpHandler][]).map(([id, handler]) => {
    const operation: Operation = operations[id];
    const pattern = new RegExp(`^${operation.path.replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`);
    return { id, operation, handler, pattern };
  });
  return (method: string | undefined, path: string) => {
    const route = routes.find((one) => one.operation.method === method && one.pattern.test(path));
    return route && { ...route, pathParameters: { ...route.pattern.exec(path)?.groups } };
  };
}
