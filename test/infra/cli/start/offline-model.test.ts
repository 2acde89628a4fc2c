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
    const question = user('She said: "my cat"\n2026-01-02T03:04 user: "my \\cat"\nWhat is my cat called?');
    expect(answerOffline([question])).not.toContain("on She");
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

    async function read(messages: ReturnType<typeof user>[], limit: object = {}) {
      const stream = await client.chat.completions.create({
        model: "offline",
        messages,
        stream: true,
        stream_options: { include_usage: true },
        ...limit,
      });
      const read = { text: "", finish: "", tokens: 0 };
      for await (const { choices, usage } of stream) {
        read.text += choices[0]?.delta.content ?? "";
        read.finish = choices[0]?.finish_reason ?? read.finish;
        read.tokens = usage?.completion_tokens ?? read.tokens;
      }
      return read;
    }

    it("streams the same answer to the OpenAI client", async () => {
      const text = answerOffline([user("Hello")]);
      const tokens = text.split(/\s+/).length;
      expect(await read([user("Hello")])).toEqual({ text, finish: "stop", tokens });
    });

    it.each(["max_tokens", "max_completion_tokens"])("respects the limit %s of the request", async (name) => {
      expect(await read([user("Hello")], { [name]: 3 })).toEqual({ text: "I am the ", finish: "length", tokens: 3 });
    });

    it("refuses unsupported requests", async () => {
      await expect(client.embeddings.create({ model: "x", input: "y" })).rejects.toMatchObject({ status: 404 });
    });
  });
});
