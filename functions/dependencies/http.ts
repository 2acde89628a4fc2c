import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import type { HttpDependencies } from "../../shared/http/http-handler.ts";
import { createIdempotencyStore } from "../../shared/http/idempotency.dynamodb.ts";
import { clock } from "./clock.ts";
import { openRecorder } from "./recorder.ts";

/** What every HTTP handler needs. */
export const httpOnly = (config: Config): HttpDependencies => ({
  clock,
  corsOrigins: config.CORS_ORIGINS,
  recorder: openRecorder(config),
});

/** What the handlers of POST operations need. */
export const withIdempotency = (config: Config, table: Table): HttpDependencies => ({
  ...httpOnly(config),
  idempotency: createIdempotencyStore(table),
});
