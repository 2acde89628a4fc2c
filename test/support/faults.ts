import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

export interface Fault {
  /** The operation that fails, as `GetItem` or `TransactWriteItems`. */
  operation: string;
  /** Whether the call never arrives, or is carried out and its answer lost. */
  when: "before" | "after";
  /** Name of the error that the SDK sees. */
  name: "ThrottlingException" | "TimeoutError" | "InternalServerError";
  /** Attempts that fail, of the four that the SDK makes by itself. */
  attempts: number;
  /** Calls of the operation that go well before. @default 0 */
  skip?: number;
}

/** Lets attempts of the SDK fail one after the other, below its own retries: what a network and a busy service do. */
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
