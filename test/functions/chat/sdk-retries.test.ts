import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let api: Listening;
let count = 0;
let id = "";
/** Set by a test: the next turn's function dies instead of storing its question. */
let dies: (() => void) | undefined;
/** Set by a test: the next turn waits for this before it stores its question. */
let waits: (() => Promise<void>) | undefined;
let records: ReturnType<typeof vi.spyOn>;

beforeAll(async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  const { deps } = createChatWorld(world, fake.url);
  const turns: typeof deps.turns = {
    ...deps.turns,
    begin: async (turn) => {
      const wait = waits;
      waits = undefined;
      await wait?.();
      if (!dies) return deps.turns.begin(turn);
      dies();
      dies = undefined;
      return new Promise(() => undefined);
    },
  };
  api = await startChatServer(world, { ...deps, turns });
});
beforeEach(() => {
  fake.reset();
  id = `session-${count++}`;
  records = vi.spyOn(world.ungated, "put");
  return () => records.mockRestore();
});
afterAll(async () => {
  await api.close();
  await Promise.all([engines.close(), fake.close()]);
});

const stored = async (session = id) =>
  (await listMessages(world.stores, { user: "ann", id: session }, { order: "asc", limit: 100 })).messages.map(
    ({ content }) => content,
  );
const claims = () =>
  records.mock.calls.filter(([put]: unknown[]) => String(Object(put).Item?.pk).endsWith("#K")).length;

/** A client whose connection is cut at its first request, after `until` has resolved. `sent` lists its retry counts. */
function client({
  until,
  session = id,
  user = "ann",
}: {
  until?: () => Promise<unknown>;
  session?: string | null;
  user?: string;
} = {}) {
  const sent: (string | null)[] = [];
  const openai = new OpenAI({
    baseURL: `${api.url}/v1`,
    apiKey: user,
    ...(session === null ? {} : { defaultHeaders: { "X-Session-Id": session } }),
    fetch: async (url, init) => {
      sent.push(new Headers(init?.headers).get("x-stainless-retry-count"));
      if (!until || sent.length > 1) return fetch(url, init);
      const connection = new AbortController();
      const answer = fetch(url, { ...init, signal: connection.signal }).catch(() => undefined);
      await until();
      connection.abort();
      await answer;
      throw new TypeError("the connection was cut");
    },
  });
  const ask = (content: string, options: OpenAI.RequestOptions = {}) =>
    openai.chat.completions
      .create({ model: "model-a", messages: [{ role: "user", content }] }, options)
      .withResponse()
      .then(({ data, response }) => ({
        id: data.id,
        text: data.choices[0]?.message.content,
        session: response.headers.get("x-session-id"),
        isReplayed: response.headers.get("idempotency-replayed") === "true",
      }));
  return { ask, sent };
}
const asked =
  (calls = 1) =>
  () =>
    vi.waitFor(() => expect(fake.requests).toHaveLength(calls), { timeout: 10_000, interval: 5 });
/** Sends the request as the SDK sends it for the given time. */
const again = (content: string, retryCount: number | null, session: string | null = id, user = "ann") =>
  client({ session, user }).ask(content, {
    headers: { "X-Stainless-Retry-Count": retryCount === null ? null : String(retryCount) },
  });

it.each([
  ["runs", 300],
  ["has ended", 0],
])(
  "a retry of the SDK, after its connection was cut, gets the answer of the first request, which %s",
  async (_state, perToken) => {
    fake.next({ perToken });
    const { ask, sent } = client({
      until: async () => {
        await asked()();
        if (perToken === 0) await vi.waitFor(async () => expect(await stored()).toHaveLength(2), { timeout: 10_000 });
      },
    });
    const answer = await ask("hello");
    expect(sent).toEqual(["0", "1"]);
    expect(answer).toMatchObject({ text: "You said: hello", session: id, isReplayed: true });
    expect(await stored()).toEqual(["hello", "You said: hello"]);
    expect(fake.requests).toHaveLength(1);
  },
);

it("a retry of a request without a session uses the session of the first request", async () => {
  fake.next({ perToken: 100 });
  const first = client({ until: asked(), session: null });
  const answer = await first.ask("a question without a session");
  expect(answer.isReplayed).toBe(true);
  expect(await stored(answer.session!)).toEqual([
    "a question without a session",
    "You said: a question without a session",
  ]);
  expect(fake.requests).toHaveLength(1);
});

it("the same request with a retry count of 0 is a new turn, and later retries belong to it", async () => {
  const [one, two] = [await again("hello", 0), await again("hello", 0)];
  expect(two.id).not.toBe(one.id);
  expect(await stored()).toHaveLength(4);
  expect(await again("hello", 1)).toMatchObject({ id: two.id, isReplayed: true });
  expect(await again("hello", 2)).toMatchObject({ id: two.id, isReplayed: true });
  expect(fake.requests).toHaveLength(2);
});

it("an old request that ends during a newer identical one does not end the claim of the newer one", async () => {
  let finish = () => {};
  fake.next({ until: new Promise<void>((resolve) => (finish = resolve)) }, { perToken: 200 });
  const older = again("hello", 0);
  await asked(1)();
  const newer = again("hello", 0);
  await asked(2)();
  finish();
  const { id: first } = await older;
  const retried = await again("hello", 1);
  expect(retried.id).toBe((await newer).id);
  expect(retried.id).not.toBe(first);
  expect(fake.requests).toHaveLength(2);
});

it("a retry is a new turn ten minutes after the first request, and not earlier", async () => {
  const first = await again("hello", 0);
  world.advance(599_000);
  expect((await again("hello", 1)).id).toBe(first.id);
  world.advance(1000);
  expect((await again("hello", 1)).id).not.toBe(first.id);
  expect(await stored()).toHaveLength(4);
});

it.each([
  ["another body", () => again("hello there", 1)],
  ["another session", () => again("hello", 1, `${id}-other`)],
  ["another user", () => again("hello", 1, id, "bob")],
])("a retry with %s is a turn of its own", async (_difference, other) => {
  const first = await again("hello", 0);
  const answer = await other();
  expect(answer).toMatchObject({ isReplayed: false });
  expect(answer.id).not.toBe(first.id);
});

it("a retry runs the turn when the function was killed between its claim and its question", async () => {
  const { ask, sent } = client({
    until: async () => {
      await new Promise<void>((resolve) => (dies = resolve));
      world.advance(9001);
    },
  });
  expect(await ask("hello")).toMatchObject({ text: "You said: hello", isReplayed: false });
  expect(sent).toEqual(["0", "1"]);
  expect(await stored()).toEqual(["hello", "You said: hello"]);
  expect(fake.requests).toHaveLength(1);
});

it.each([
  ["runs", 100],
  ["has ended", 0],
])(
  "a first attempt that was too slow to store its question follows the retry, which %s: the model is asked once",
  async (_state, perToken) => {
    const retried = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<void>();
    waits = () => {
      slow.resolve();
      return retried.promise;
    };
    const first = again("hello", 0);
    await slow.promise;
    world.advance(9001);
    fake.next({ perToken });
    const retry = again("hello", 1);
    await asked(1)();
    if (perToken === 0) await retry;
    retried.resolve();
    const [one, two] = await Promise.all([first, retry]);
    expect(one).toMatchObject({ id: two.id, text: "You said: hello", isReplayed: true });
    expect(two).toMatchObject({ text: "You said: hello", isReplayed: false });
    expect(await stored()).toEqual(["hello", "You said: hello"]);
    expect(fake.requests).toHaveLength(1);
  },
);

it("a retry after a 503 of the provider asks again, and stores the question once", async () => {
  fake.next(...Array(3).fill({ status: 503 }));
  const { ask, sent } = client();
  expect(await ask("hello")).toMatchObject({ text: "You said: hello" });
  expect(sent).toEqual(["0", "1"]);
  expect(await stored()).toEqual(["hello", "You said: hello"]);
});

it("a request of the SDK writes one claim, and one of another client or with an invalid count writes none", async () => {
  await again("hello", 0);
  expect(claims()).toBe(1);
  await again("hello", null);
  await client().ask("hello", { headers: { "X-Stainless-Retry-Count": "-1" } });
  expect(claims()).toBe(1);
  await again("hello", 0, null);
  expect(claims()).toBe(2);
  expect(fake.requests).toHaveLength(4);
});

it("an Idempotency-Key takes precedence over the SDK's retry count", async () => {
  const keyed = (key: string, retryCount: string) =>
    client().ask("hello", { headers: { "Idempotency-Key": key, "X-Stainless-Retry-Count": retryCount } });
  const first = await keyed(`${id}-a`, "0");
  expect((await keyed(`${id}-a`, "0")).id).toBe(first.id);
  expect((await keyed(`${id}-b`, "1")).id).not.toBe(first.id);
});
