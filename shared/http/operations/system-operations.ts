import * as z from "zod";
import type { Operation } from "./operation.ts";

const healthSchema = z
  .object({
    status: z.enum(["ok", "degraded"]),
    dynamodb: z.enum(["connected", "read_only", "disconnected"]).meta({
      description: "`read_only`: it answers reads and refuses writes.",
    }),
    archive: z.enum(["connected", "disconnected"]),
    active_sessions: z.int().nullable(),
    version: z.string(),
  })
  .meta({ id: "Health" });

export const systemOperations = {
  getHealth: {
    method: "GET",
    path: "/health",
    access: "public",
    summary: "Check the service and its stores",
    answers: { 200: healthSchema, 503: healthSchema },
  },
  getOpenapi: {
    method: "GET",
    path: "/openapi.json",
    access: "public",
    summary: "Read this document",
    answers: { 200: z.looseObject({ openapi: z.string() }) },
  },
} as const satisfies Record<string, Operation>;
