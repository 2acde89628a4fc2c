import * as z from "zod";
import type { Operation } from "./operation.ts";

const idSchema = z.uuid();

const exportFields = {
  id: idSchema,
  status: z.enum(["running", "ready", "failed"]),
  created_at: z.iso.datetime(),
};

const count = z.int().min(0);

const exportSchema = z
  .object({
    ...exportFields,
    url: z
      .url()
      .optional()
      .meta({ description: "Serves the zip as a download for one hour. Read the export again for a new URL." }),
    bytes: z.int().optional(),
    sha256: z.string().optional().meta({ description: "The SHA-256 of the zip, in hex." }),
    counts: z
      .object({ sessions: count, messages: count, memories: count, events: count, files: count })
      .optional()
      .meta({ description: "The numbers of things in the zip; messages of all branches count." }),
    expires_at: z.iso.datetime().meta({ description: "When the export is deleted." }),
  })
  .meta({ id: "Export" });

export const exportOperations = {
  createExport: {
    method: "POST",
    path: "/v1/exports",
    access: "user",
    audited: "export.create",
    summary: "Begin an export of all data of the user, as a zip. If an export is running, the answer is that export",
    answers: { 202: z.object(exportFields) },
    refusals: { 404: "The export of the first request with this Idempotency-Key is deleted." },
  },
  getExport: {
    method: "GET",
    path: "/v1/exports/{id}",
    access: "user",
    summary: "Read the state of an export, and get the URL to download it from",
    params: z.object({ id: idSchema }),
    answers: { 200: exportSchema },
  },
} as const satisfies Record<string, Operation>;
