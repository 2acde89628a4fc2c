import * as z from "zod";
import { idSchema, metadataSchema } from "../session/schema.ts";

const eventTypes = ["feedback", "conversion", "engagement", "content", "custom"] as const;

/** Largest value either way: sums of them stay exact. */
const MAX_VALUE = 1e9;

export const createEventSchema = z
  .strictObject({
    type: z.enum(eventTypes),
    session_id: idSchema
      .optional()
      .meta({ description: "The session that it is about; 404 when the user has none such." }),
    // Looking for a message costs what its session's length does, above all in the archive.
    message_id: idSchema.optional().meta({ description: "The message of it that it is about, kept as it is given." }),
    value: z.number().min(-MAX_VALUE).max(MAX_VALUE).optional().meta({
      description: "Of feedback, above 0 = satisfied; of a conversion, what it is worth.",
    }),
    name: z.string().min(1).max(64).optional().meta({ description: "What events of a type are told apart by." }),
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
  /** Stores an event and its metric. A retry changes nothing, so that in the end both are stored or neither. */
  add(event: EventRecord): Promise<void>;
  /** Gives every event of a day (as in 2026-11-21), a page at a time. */
  ofDay(day: string): AsyncIterable<EventRecord[]>;
  /** Moves the expiry of a day's events to `until` (epoch ms) where it is earlier. Gives how many events it moved. */
  hold(day: string, until: number): Promise<number>;
}
