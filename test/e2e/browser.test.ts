import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMemocha } from "../../infra/cli/start/start-memocha.ts";
import type { Host } from "../../infra/local/index.ts";
import { createLog } from "../../infra/local/log.ts";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { fetchFrom } from "../support/browser.ts";
import { PAGE_ORIGINS } from "../support/share-assembly.ts";
import { sharedAssembly } from "../support/shared-assembly.ts";

// A page that calls the API of the real template, with everything that a browser checks.

const [PAGE = "", OTHER_PAGE = ""] = PAGE_ORIGINS;
const { directory, remove } = temporaryDirectory();
let host: Host;
let token: string;

beforeAll(async () => {
  const log = createLog({ verbose: false, write: () => {} });
  host = await startMemocha({ assembly: await sharedAssembly(), data: directory, port: 0, log });
  token = await host.token({ user: "alice" });
}, 120_000);
afterAll(async () => {
  await host.stop();
  remove();
});

const openAi = (origin: string, apiKey = token) =>
  new OpenAI({
    apiKey,
    baseURL: `${host.url}/v1`,
    fetch: fetchFrom(origin),
    dangerouslyAllowBrowser: true,
    maxRetries: 0,
  });
const call = (origin: string, method: string, route: string, { body, ...headers }: Record<string, string> = {}) =>
  fetchFrom(origin)(host.url + route, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    ...(body !== undefined && { body }),
  });

test.each([PAGE, OTHER_PAGE])("OpenAI's SDK in a page from %s gets whole and streamed answers", async (origin) => {
  const { chat } = openAi(origin);
  const question = { model: "offline", messages: [{ role: "user" as const, content: "Hello" }] };
  const { data, response } = await chat.completions.create(question).withResponse();
  expect(data.choices[0]?.message.content).toContain("offline");
  expect(response.headers.get("x-session-id")).toBeTruthy();
  expect(response.headers.get("ratelimit")).toBeTruthy();
  expect(response.headers.get("ratelimit-policy")).toBeTruthy();
  expect(response.headers.get("x-request-id")).toBeTruthy();
  const streamed = await chat.completions.stream(question).finalContent();
  expect(streamed).toContain("offline");
});

test("a page reads the ETag, and sends it back with a change", async () => {
  const created = await call(PAGE, "POST", "/v1/sessions", { body: '{"id":"page"}', "idempotency-key": "once" });
  expect(created.status).toBe(201);
  const etag = (await call(PAGE, "GET", "/v1/sessions/page")).headers.get("etag") ?? "";
  const change = { body: '{"title":"New"}', "if-match": etag };
  expect((await call(PAGE, "PATCH", "/v1/sessions/page", change)).status).toBe(200);
  expect((await call(PAGE, "PATCH", "/v1/sessions/page", change)).status).toBe(412);
  expect((await call(PAGE, "DELETE", "/v1/sessions/page")).status).toBe(204);
});

test("a page sees by a header that a turn streams in the AI SDK's protocol", async () => {
  await call(PAGE, "POST", "/v1/sessions", { body: '{"id":"stream"}' });
  const body = '{"content":"Hello","stream":true}';
  const answer = await call(PAGE, "POST", "/v1/sessions/stream/chat", { body });
  expect(answer.headers.get("x-vercel-ai-ui-message-stream")).toBe("v1");
  expect(await answer.text()).toContain("[DONE]");
});

test("a page reads the errors of functions and those of the gateway", async () => {
  const body = { model: "offline", messages: [{ role: "user" as const, content: "Hello" }] };
  await expect(openAi(PAGE, "nonsense").chat.completions.create(body)).rejects.toMatchObject({ status: 401 });
  const unknown = await call(PAGE, "GET", "/v1/sessions/unknown");
  expect([unknown.status, await unknown.json()]).toEqual([404, expect.objectContaining({ code: "not_found" })]);
  // Without a header of its own, the request is sent without a preflight.
  for (const [route, status] of [
    ["/v1/sessions", 401],
    ["/nowhere", 404],
  ] as const) {
    const answer = await fetchFrom(PAGE)(host.url + route);
    expect([route, answer.status]).toEqual([route, status]);
    expect(answer.headers.get("x-request-id")).toBeTruthy();
  }
});

test("a page from elsewhere may not call", async () => {
  await expect(call("https://evil.example", "GET", "/v1/sessions")).rejects.toThrow(/^CORS: .* is allowed, not/);
});
