import * as z from "zod";
import { idSchema, instantSchema, roleSchema } from "../../session/schema.ts";
import type { Operation } from "./operation.ts";
import { page, pageQuery } from "./parameters.ts";

/** Maximum ids in one request. An answer has at most as many memories. */
const MAX_IDS = 20;

const memorySchema = z
  .object({
    id: idSchema,
    session_id: idSchema,
    message_id: idSchema,
    role: roleSchema,
    name: z.string().optional(),
    content: z.string(),
    created_at: z.iso.datetime().meta({ description: "When the message was created." }),
    score: z.number().optional().meta({ description: "Higher is better. Compare scores only within one search." }),
  })
  .meta({ id: "Memory" });

const searchSchema = z
  .strictObject({
    query: z.string().trim().min(1).max(2000, "must be at most 2000 characters"),
    limit: z.int().min(1).max(50).default(10),
    session_id: idSchema.optional(),
    from: instantSchema.optional().meta({ description: "Inclusive." }),
    to: instantSchema.optional().meta({ description: "Exclusive." }),
  })
  .meta({ id: "MemorySearch" });

/** Ids in a query, separated by commas. */
const idsSchema = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.array(idSchema).min(1).max(MAX_IDS, `must be at most ${MAX_IDS} ids`))
  .meta({
    description: `Only these memories, in this order: at most ${MAX_IDS} ids, separated by commas. Deleted memories are omitted.`,
  });

export const memoryOperations = {
  searchMemories: {
    method: "POST",
    path: "/v1/memories/search",
    access: "user",
    summary: "Search memories by meaning and words, best first",
    body: searchSchema,
    answers: { 200: z.object({ data: z.array(memorySchema) }) },
  },
  listMemories: {
    method: "GET",
    path: "/v1/memories",
    access: "user",
    summary: "List memories, the latest first, or find memories by their ids",
    query: z.object({ ...pageQuery, ids: idsSchema.optional() }),
    answers: { 200: page(memorySchema) },
  },
  deleteMemory: {
    method: "DELETE",
    path: "/v1/memories/{id}",
    access: "user",
    audited: "memory.delete",
    summary: "Delete one memory for good. Its message stays",
    params: z.object({ id: idSchema }),
    answers: { 204: null },
  },
  deleteMemories: {
    method: "DELETE",
    path: "/v1/memories",
    access: "user",
    audited: "memory.delete_all",
    summary: "Delete all memories of the user. Messages stay",
    answers: { 204: null },
  },
} as const satisfies Record<string, Operation>;
