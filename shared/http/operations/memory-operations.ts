import * as z from "zod";
import { idSchema, instantSchema, roleSchema } from "../../session/schema.ts";
import type { Operation } from "./operation.ts";
import { page, pageQuery } from "./parameters.ts";

const memorySchema = z
  .object({
    id: idSchema,
    session_id: idSchema,
    message_id: idSchema,
    role: roleSchema,
    name: z.string().optional(),
    content: z.string(),
    created_at: z.iso.datetime().meta({ description: "When the message was created." }),
    score: z.number().optional().meta({ description: "Higher is better. Comparable within one search only." }),
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
    summary: "List memories, the latest first",
    query: z.object(pageQuery),
    answers: { 200: page(memorySchema) },
  },
  deleteMemory: {
    method: "DELETE",
    path: "/v1/memories/{id}",
    access: "user",
    summary: "Delete one memory for good. Its message stays",
    params: z.object({ id: idSchema }),
    answers: { 204: null },
  },
  deleteMemories: {
    method: "DELETE",
    path: "/v1/memories",
    access: "user",
    summary: "Delete all memories of the user. Messages stay",
    answers: { 204: null },
  },
} as const satisfies Record<string, Operation>;
