import { AsyncLocalStorage } from "node:async_hooks";
import { hashId } from "./hash.ts";

/** The request whose id and user are in all lines that are logged while it runs. */
interface Request {
  id: string;
  /** Absent until the request is authenticated. */
  user?: string;
}

interface Fields {
  user?: string;
  session?: string;
  [field: string]: unknown;
}

type Level = "info" | "warn" | "error";

const requests = new AsyncLocalStorage<Request>();

const write: Record<Level, (line: string) => void> = {
  info: (line) => console.log(line),
  warn: (line) => console.warn(line),
  error: (line) => console.error(line),
};

/** Runs the work of a request. Every line that is logged during the work has the request's id and user. */
export function inRequest<T>(request: Request, work: () => T): T {
  return requests.run({ ...request }, work);
}

/** Sets the user of the current request for the lines that follow. */
export function setRequestUser(user: string): void {
  const request = requests.getStore();
  if (request) request.user = user;
}

/** Logs the failure of a job, with its cause. `fields` name the job and the failed item. */
export function logFailure(error: unknown, fields: { job: string } & Fields): void {
  const cause = error instanceof Error ? error.cause : undefined;
  log("error", { ...fields, message: String(error), ...(cause === undefined ? {} : { cause: String(cause) }) });
}

/**
 * Writes one line of JSON for the operators. `user` and `session` are ids; they are logged as hashes, because clients choose them. Never pass
 * the content of a conversation.
 */
export function log(level: Level, { user, session, ...fields }: Fields): void {
  const request = requests.getStore();
  const whose = user ?? request?.user;
  const line = {
    level,
    ...(request ? { request_id: request.id } : {}),
    ...(whose === undefined ? {} : { user: hashId(whose) }),
    ...(session === undefined ? {} : { session: hashId(session) }),
    ...fields,
  };
  write[level](JSON.stringify(line));
}
