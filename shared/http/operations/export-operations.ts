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
      .meta({ description: "Serves the zip as a download, for an hour. Read the export again for a new one." }),
    bytes: z.int().optional(),
    sha256: z.string().optional().meta({ description: "Of the zip, in hex." }),
    counts: z
      .object({ sessions: count, messages: count, memories: count, events: count, files: count })
      .optional()
      .meta({ description: "What the zip holds; messages on all branches." }),
    expires_at: z.iso.datetime().meta({ description: "When the export is deleted." }),
  })
  .meta({ id: "Export" });

export const exportOperations = {
  createExport: {
    method: "POST",
    path: "/v1/exports",
    access: "user",
    audited: "export.create",
    summary:
      "Begin an export of everything that is stored of the user, as a zip. While one runs, the answer is that one",
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
