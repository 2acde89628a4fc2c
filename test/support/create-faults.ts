import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

export interface Fault {
  /** The operation that fails, as `GetItem` or `TransactWriteItems`. */
  operation: string;
  /** `before`: the call does not arrive. `after`: the call is carried out and its answer is lost. */
  when: "before" | "after";
  /** Name of the error that the SDK sees. */
  name: "ThrottlingException" | "TimeoutError" | "InternalServerError";
  /** Number of the SDK's own attempts that fail. */
  attempts: number;
  /** Calls of the operation that succeed first. @default 0 */
  skip?: number;
}

/** Makes attempts of the SDK fail below its own retries, as a bad network or a busy service does. */
export function createFaults(client: DynamoDBDocumentClient): { next(fault: Fault): void; pending(): number } {
  let current: Fault | undefined;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const fault = current;
      const operation = String(context.commandName).replace(/Command$/, "");
      if (!fault || fault.operation !== operation || fault.attempts === 0) return next(args);
      if (fault.skip) {
        fault.skip--;
        return next(args);
      }
      fault.attempts--;
      if (fault.when === "after") await next(args);
      throw Object.assign(new Error("injected"), { name: fault.name, $fault: "server", $metadata: {} });
    },
    { step: "deserialize", name: "faults", priority: "high" },
  );
  return {
    next: (fault) => {
      current = { ...fault };
    },
    pending: () => current?.attempts ?? 0,
  };
}
