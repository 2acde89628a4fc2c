import { AsyncLocalStorage } from "node:async_hooks";
import { hashUser } from "./hash.ts";

/** A request, as the lines that are logged while it runs name it. */
interface Request {
  id: string;
  /** Absent until it is known whom the request is for. */
  user?: string;
}

type Level = "info" | "warn" | "error";

const requests = new AsyncLocalStorage<Request>();

const write: Record<Level, (line: string) => void> = {
  info: (line) => console.log(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};

/** Runs some work for a request: what is logged on the way, however deep, has its id and its user. */
export const inRequest = <T>(request: Request, work: () => T): T => requests.run({ ...request }, work);

/** Names the user whom the current request is for in what is logged from now on. */
export function setRequestUser(user: string): void {
  const request = requests.getStore();
  if (request) request.user = user;
}

/** Logs the failure of a job, with its cause. `fields` say which job failed, and at what. */
export function logFailure(error: unknown, fields: { job: string; user?: string; [field: string]: unknown }): void {
  const cause = error instanceof Error ? error.cause : undefined;
  log("error", { ...fields, message: String(error), ...(cause === undefined ? {} : { cause: String(cause) }) });
}

/**
 * Writes one line of JSON for the operators. `user` is an id, and leaves this function as a hash; what a user has said must
 * not come here at all.
 */
export function log(level: Level, { user, ...fields }: { user?: string; [field: string]: unknown }): void {
  const request = requests.getStore();
  const whose = user ?? request?.user;
  const line = {
    level,
    ...(request ? { request_id: request.id } : {}),
    ...(whose === undefined ? {} : { user: hashUser(whose) }),
    ...fields,
  };
  write[level](JSON.stringify(line));
}
