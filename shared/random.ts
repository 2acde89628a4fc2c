import { randomUUID } from "node:crypto";

/** Makes an id that is like no other. Injected where ids are stored, so that a test or a simulation can repeat a run. */
export type NewId = () => string;

export const randomId: NewId = () => randomUUID();
