import * as z from "zod";
import type { Operation } from "./operation.ts";

const memory = z.boolean().meta({
  description:
    "If `false`, new messages do not become memories, and chats use no memories. Existing memories stay, listed by `GET /v1/memories`, until they are deleted.",
});

const settingsSchema = z.object({ memory }).meta({ id: "Settings" });

export const settingsOperations = {
  getSettings: {
    method: "GET",
    path: "/v1/settings",
    access: "user",
    summary: "Read the user's settings",
    answers: { 200: settingsSchema },
  },
  patchSettings: {
    method: "PATCH",
    path: "/v1/settings",
    access: "user",
    summary: "Switch memory off or on",
    body: z.strictObject({ memory }).meta({ id: "SettingsPatch" }),
    answers: { 200: settingsSchema },
  },
} as const satisfies Record<string, Operation>;
