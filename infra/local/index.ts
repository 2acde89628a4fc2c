/** The entry of the local host. Other folders import this file only. */
export type { ItemJson, StreamRecord } from "./dynamodb/stream-record.ts";
export { firstFailure } from "./events/deliver.ts";
export { compileFilter } from "./events/filter-pattern.ts";
export { explainError } from "./explain-error.ts";
export { type Host, type StartOptions, startHost } from "./host.ts";
export { formatGrants } from "./iam/grants.ts";
export { issueToken } from "./issuer/sign-token.ts";
export { type Listening, listen } from "./listen.ts";
export { createLog, type Log } from "./log.ts";
export { engineClient, findRunningHost } from "./running-host.ts";
export { type CdkApp, synthesize } from "./synthesize.ts";
