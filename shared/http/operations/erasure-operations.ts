import * as z from "zod";
import { receiptSchema } from "../../privacy/erasure.ts";
import { MAX_USER } from "../verify-token.ts";
import type { Operation } from "./operation.ts";

export const erasureOperations = {
  createErasure: {
    method: "POST",
    path: "/v1/erasures",
    access: "user",
    erases: true,
    audited: "erasure.create",
    summary: "Erase everything of the user. Returns the running erasure if there is one",
    body: z
      .strictObject({
        user_id: z.string().min(1).max(MAX_USER).optional().meta({
          description: "Another user. Needs a token of the group admin.",
        }),
      })
      .meta({ id: "ErasureCreate" }),
    answers: { 202: receiptSchema },
    refusals: { 403: "Only an admin may name another user, or X-User-Id needs a token with the scope act-as." },
  },
  getErasure: {
    method: "GET",
    path: "/v1/erasures/{id}",
    access: "user",
    summary: "Get the receipt of an erasure. Receipts are kept for 400 days by default. Admins get every receipt",
    params: z.object({ id: z.uuid() }),
    answers: { 200: receiptSchema },
  },
} as const satisfies Record<string, Operation>;
