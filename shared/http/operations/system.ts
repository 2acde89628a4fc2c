import * as z from "zod";
import type { Operation } from "./operation.ts";

const healthSchema = z
  .object({
    status: z.enum(["ok", "degraded"]),
    dynamodb: z.enum(["connected", "read_only", "disconnected"]).meta({
      description: "`read_only`: it answers, and takes no writes.",
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
    summary: "Whether the service and the stores behind it work",
    answers: { 200: healthSchema, 503: healthSchema },
  },
  getOpenapi: {
    method: "GET",
    path: "/openapi.json",
    access: "public",
    summary: "This document",
    answers: { 200: z.looseObject({ openapi: z.string() }) },
  },
} as const satisfies Record<string, Operation>;
