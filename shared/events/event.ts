import * as z from "zod";
import { idSchema, metadataSchema } from "../session/schema.ts";

const eventTypes = ["feedback", "conversion", "engagement", "content", "custom"] as const;

/** Maximum absolute value, so that sums stay exact. */
const MAX_VALUE = 1e9;

export const createEventSchema = z
  .strictObject({
    type: z.enum(eventTypes),
    session_id: idSchema
      .optional()
      .meta({ description: "The session that the event is about. 404 if the user has no such session." }),
    // The id is not checked, because the cost of finding a message grows with the session, especially in the archive.
    message_id: idSchema.optional().meta({ description: "The message that the event is about. Not checked." }),
    value: z.number().min(-MAX_VALUE).max(MAX_VALUE).optional().meta({
      description: "Feedback: above 0 = satisfied. Conversion: its value.",
    }),
    name: z.string().min(1).max(64).optional().meta({ description: "Distinguishes events of the same type." }),
    metadata: metadataSchema.optional(),
  })
  .meta({ id: "EventCreate" });

export const eventSchema = z
  .object({
    id: idSchema,
    type: z.enum(eventTypes),
    session_id: idSchema.optional(),
    message_id: idSchema.optional(),
    value: z.number().optional(),
    name: z.string().optional(),
    metadata: z.record(z.string(), z.json()).optional(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: "Event" });

export type EventCreate = z.infer<typeof createEventSchema>;
export type Event = z.infer<typeof eventSchema>;

export interface EventRecord extends Event {
  user_id: string;
}

export interface EventStore {
  /** Stores an event and its metric. May be repeated. */
  add(event: EventRecord): Promise<void>;
  /** Yields the events of a day (as in 2026-11-21), page by page. */
  ofDay(day: string): AsyncIterable<EventRecord[]>;
  /** Yields the events of a user, the oldest first, page by page. Pass `last` as `after` to continue. May miss the newest. */
  ofUser(user: string, after?: string): AsyncIterable<{ events: EventRecord[]; last: string }>;
  /** Moves the expiry of a day's events to `until` (epoch ms) if it is earlier. Returns how many events it moved. */
  hold(day: string, until: number): Promise<number>;
}
