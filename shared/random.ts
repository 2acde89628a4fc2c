import { randomUUID } from "node:crypto";

/** Creates a unique id. Injected where ids are stored, so that a test or a simulation can repeat a run. */
export type NewId = () => string;

export const randomId: NewId = () => randomUUID();
