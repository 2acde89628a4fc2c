import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOffline } from "../../../../infra/cli/start/offline-model/answer-offline.ts";
import { startOfflineModel } from "../../../../infra/cli/start/offline-model/start-offline-model.ts";
import type { Listening } from "../../../../infra/local/listen.ts";
import { memorySection } from "../../../../shared/chat/prompt.ts";

const user = (content: string) => ({ role: "user" as const, content });

describe("the offline model", () => {
  it("says that it is offline, and quotes messages of the conversation that match the question", () => {
    const messages = [
      user("My dog is called Rex."),
      { role: "assistant", content: "Nice." },
      user("What is my dog called?"),
    ];
    const answer = answerOffline(messages);
    expect(answer).toContain("offline");
    expect(answer).toContain('you said earlier in this conversation: "My dog is called Rex."');
    expect(answerOffline(messages)).toBe(answer);
  });

  it("quotes memories with their dates", () => {
    const memory = {
      id: "m",
      session_id: "s",
      message_id: "m",
      role: "user" as const,
      content: "My cat <3 is called Tom & Jerry.",
      created_at: "2026-01-02T03:04:05.000Z",
    };
    const answer = answerOffline([user(`${memorySection([memory], "2026-02-03")}\n\nHow is my cat called?`)]);
    expect(answer).toContain('you said on 2026-01-02: "My cat <3 is called Tom & Jerry."');
  });

  it("says when no message matches the question", () => {
    expect(answerOffline([user("Where is Peru?")])).toContain("I have nothing earlier on this.");
  });

  describe("as a server", () => {
    let server: Listening;
    let client: OpenAI;
    beforeAll(async () => {
      server = await startOfflineModel();
      client = new OpenAI({ baseURL: server.url, apiKey: "none", maxRetries: 0 });
    });
    afterAll(() => server.close());

    it("gives the OpenAI client the same answer as a whole and as a stream", async () => {
      const request = { model: "offline", messages: [user("Hello")] };
      const whole = await client.chat.completions.create(request);
      const stream = await client.chat.completions.create({
        ...request,
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = "";
      let tokens = 0;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        tokens = chunk.usage?.completion_tokens ?? tokens;
      }
      expect(text).toBe(whole.choices[0]!.message.content);
      expect(tokens).toBe(whole.usage!.completion_tokens);
    });

    it("respects the token limit of the request", async () => {
      const { choices } = await client.chat.completions.create({
        model: "offline",
        messages: [user("Hello")],
        max_tokens: 3,
      });
      expect(choices[0]).toMatchObject({ finish_reason: "length", message: { content: "I am the " } });
    });

    it("refuses unsupported requests", async () => {
      await expect(client.embeddings.create({ model: "x", input: "y" })).rejects.toMatchObject({ status: 404 });
    });
  });
});
