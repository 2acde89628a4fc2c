import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Listening, listen } from "../../../infra/local/listen.ts";
import { createOpenAIModel } from "../../../shared/llm/model.openai.ts";
import { createOpenAIEmbedder } from "../../../shared/memory/embedder.openai.ts";
import { noStatistics } from "../../../shared/memory/statistics.ts";
import { ask } from "../../support/chat-world.ts";

/** What the server has seen that the provider redirects to. */
let seen: string[] = [];
/** Requests of the provider. */
let asked = 0;
let status = 302;
let provider: Listening;
let other: Listening;

beforeAll(async () => {
  const elsewhere = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.end();
  });
  other = await listen(elsewhere, 0);
  const redirecting = createServer((request, response) => {
    asked++;
    response.writeHead(status, { location: other.url + request.url });
    response.end();
  });
  provider = await listen(redirecting, 0);
});
beforeEach(() => {
  seen = [];
  asked = 0;
});
afterAll(() => Promise.all([provider.close(), other.close()]));

describe.each([301, 302, 303, 307, 308])("a provider that answers %i to another port", (redirect) => {
  beforeEach(() => {
    status = redirect;
  });

  it("is not followed with a chat, and is reported as a wrong configuration", async () => {
    const model = createOpenAIModel(async () => "secret", { connect: 10_000, firstToken: 10_000 });
    const target = { provider: "p", baseUrl: `${provider.url}/v1`, model: "m", isOpenAI: false };
    const prompt = { messages: [], tokens: 1, maxOutputTokens: 1 };
    await expect(model(target, prompt, ask())).rejects.toMatchObject({ failure: "misconfigured", status: redirect });
    expect([asked, seen]).toEqual([1, []]);
  });

  it("is not followed with texts to embed", async () => {
    const space = { model: "m", dimensions: 2 };
    const embedder = createOpenAIEmbedder({ apiKey: async () => "secret", baseURL: `${provider.url}/v1` }, space);
    await expect(embedder.embedQuery("private", noStatistics())).rejects.toMatchObject({ code: "internal" });
    expect([asked, seen]).toEqual([1, []]);
  });
});
