import type { Config } from "../../shared/config.ts";
import type { Table } from "../../shared/dynamodb/table.ts";
import type { HttpDependencies } from "../../shared/http/http-handler.ts";
import { createIdempotencyStore } from "../../shared/http/idempotency.dynamodb.ts";

/** What every HTTP handler needs. */
export const httpOnly = ({ CORS_ORIGINS }: Config): HttpDependencies => ({
  clock: Date.now,
  corsOrigins: CORS_ORIGINS,
});

/** What the handlers of POST operations need. */
export const withIdempotency = (config: Config, table: Table): HttpDependencies => ({
  ...httpOnly(config),
  idempotency: createIdempotencyStore(table, Date.now),
});
