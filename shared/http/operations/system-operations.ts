import * as z from "zod";
import type { Operation } from "./operation.ts";

const healthSchema = z
  .object({
    status: z.enum(["ok", "degraded"]),
    dynamodb: z.enum(["connected", "read_only", "disconnected"]).meta({
      description: "`read_only` = it answers reads and refuses writes.",
    }),
    archive: z.enum(["connected", "disconnected"]),
    active_sessions: z.int().nullable(),
    version: z.string(),
  })
  .meta({ id: "Health" });

const waitingSchema = z.object({
  count: z.int(),
  oldest_at: z.iso
    .datetime()
    .nullable()
    .meta({ description: "The time since which the oldest one waits; null = nothing waits." }),
});

const stateSchema = z
  .object({
    active_sessions: z.int(),
    jobs: z.array(
      z.object({
        name: z.string(),
        succeeded_at: z.iso.datetime().nullable().meta({ description: "The last success; null = none yet." }),
        late: z.boolean().meta({ description: "Whether the last success is too long ago." }),
      }),
    ),
    providers: z
      .array(
        z.object({
          name: z.string().meta({ description: "The host of the provider's API." }),
          circuit: z
            .enum(["closed", "open"])
            .meta({ description: "`open` = the provider fails, so it is not called." }),
          failures: z.int().meta({ description: "Consecutive failures." }),
          opened_at: z.iso.datetime().nullable(),
        }),
      )
      .meta({ description: "The configured providers of chat models." }),
    waiting: z.object({
      dead_letters: waitingSchema.meta({ description: "Events on which a function failed after all retries." }),
      sessions: waitingSchema.meta({ description: "Sessions to archive or to clean up; counted up to 1,000." }),
      lake_days: waitingSchema.meta({ description: "Days of the lake to build." }),
    }),
  })
  .meta({ id: "State" });

export const systemOperations = {
  getHealth: {
    method: "GET",
    path: "/health",
    access: "public",
    summary: "Check the service and its stores",
    answers: { 200: healthSchema, 503: healthSchema },
  },
  getState: {
    method: "GET",
    path: "/v1/state",
    access: "admin",
    audited: "state.read",
    summary: "Read the current state of the jobs, the providers' circuits and all waiting work",
    answers: { 200: stateSchema },
  },
  getOpenapi: {
    method: "GET",
    path: "/openapi.json",
    access: "public",
    summary: "Read this document",
    answers: { 200: z.looseObject({ openapi: z.string() }) },
  },
} as const satisfies Record<string, Operation>;
