import * as z from "zod";
import type { Operation } from "./operation.ts";

const memory = z.boolean().meta({
  description:
    "`false`: nothing more is remembered, and chats recall nothing. What was remembered stays, listed by `GET /v1/memories`, until it is deleted.",
});

const settingsSchema = z.object({ memory }).meta({ id: "Settings" });

export const settingsOperations = {
  getSettings: {
    method: "GET",
    path: "/v1/settings",
    access: "user",
    summary: "Read what the user has chosen",
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
