/** The local host, for the rest of the project: only this file is imported from outside. */
export type { ItemJson, StreamRecord } from "./dynamodb/stream-record.ts";
export { firstFailure } from "./events/batch-response.ts";
export { compileFilter } from "./events/filter-pattern.ts";
export { type Host, type StartOptions, startHost } from "./host.ts";
export { issueToken, type TokenClaims } from "./issuer/token.ts";
export { engineClient, findRunningHost, type RunningHost } from "./running-host.ts";
