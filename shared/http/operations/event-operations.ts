import { createEventSchema, eventSchema } from "../../events/event.ts";
import type { Operation } from "./operation.ts";

/** Events that clients report about a user or a session. */
export const eventOperations = {
  createEvent: {
    method: "POST",
    path: "/v1/events",
    access: "user",
    summary: "Report feedback, a conversion, engagement, or another event to count",
    body: createEventSchema,
    refusals: { 404: "The user has no such session." },
    answers: { 201: eventSchema },
  },
} as const satisfies Record<string, Operation>;
