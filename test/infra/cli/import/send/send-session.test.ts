import { expect, test } from "vitest";
import { planSession } from "../../../../../infra/cli/import/plan-session.ts";
import type { ApiRequest, Send } from "../../../../../infra/cli/import/send/api-client.ts";
import { sendSession } from "../../../../../infra/cli/import/send/send-session.ts";

const plan = planSession({
  id: "s",
  messages: [1, 2, 3].map((n) => ({ role: "user" as const, content: `message ${n}` })),
});

test("a session fails when the server stores only a part of a batch", async () => {
  const stored: number[] = [];
  const send: Send = async ({ path }: ApiRequest) => ({
    status: 201,
    body: path.endsWith("/messages") ? { data: [{}, {}] } : {},
  });
  const sending = sendSession(plan, { user: undefined, send, onStored: (messages) => void stored.push(messages) });
  await expect(sending).rejects.toMatchObject({ name: "Refused", message: "the server stored 2 of 3 messages" });
  expect(stored).toEqual([]);
});
