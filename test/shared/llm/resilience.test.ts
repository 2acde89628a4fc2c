import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createTable, type Table } from "../../../shared/dynamodb/table.ts";
import { createOpenAIModel } from "../../../shared/llm/model.openai.ts";
import type { ModelAnswer, ModelEvent } from "../../../shared/llm/model.ts";
import { ModelError } from "../../../shared/llm/model-error.ts";
import type { ProviderStore } from "../../../shared/llm/provider-store.ts";
import { createProviderStore } from "../../../shared/llm/providers.dynamodb.ts";
import { ask, createInstance, type ModelOptions } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";

let engines: Engines;
let table: Table;
let fake: FakeOpenAI;
let other: FakeOpenAI;

beforeAll(async () => {
  [engines, other] = await Promise.all([startEngines(), startFakeOpenAI()]);
  table = createTable(engines.dynamodb, engines.tableName);
});
// A provider of its own for each test: breakers know providers by their host.
beforeEach(async () => {
  await fake?.close();
  fake = await startFakeOpenAI();
  other.reset();
});
afterAll(async () => {
  await Promise.all([engines.close(), fake.close(), other.close()]);
});

const said = async ({ events }: ModelAnswer) => {
  let text = "";
  for await (const event of events) if (event.kind === "text") text += event.text;
  return text;
};
const failure = (work: Promise<unknown>): Promise<ModelError> =>
  work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );

describe("a model", () => {
  it("streams its text, counts tokens, and keeps the connection open", async () => {
    const model = createInstance(table, { url: fake.url });
    const { model: name, events } = await model.ask(ask("good morning"));
    const seen: ModelEvent[] = [];
    for await (const event of events) seen.push(event);
    expect(name).toBe("model-a");
    expect(seen.slice(0, -1)).toEqual([
      { kind: "text", text: "You " },
      { kind: "text", text: "said: " },
      { kind: "text", text: "good " },
      { kind: "text", text: "morning" },
    ]);
    expect(seen.at(-1)).toEqual({ kind: "end", reason: "stop", usage: { input_tokens: 6, output_tokens: 4 } });
    for (let n = 0; n < 10; n++) await said(await model.ask(ask()));
    expect(fake.connections()).toBeLessThanOrEqual(2);
    expect(fake.requests[0]).toMatchObject({ model: "model-a", max_tokens: 100, authorization: "Bearer key" });
  });

  it.each([
    [true, { max_completion_tokens: 100, prompt_cache_key: "conversation" }],
    [false, { max_tokens: 100 }],
  ])("gets the parameters, the speakers and the limit of its answer (OpenAI's own: %s)", async (isOpenAI, own) => {
    const model = createOpenAIModel(async () => "key", { connect: 10_000, firstToken: 10_000 });
    const target = { provider: "p", baseUrl: fake.url, model: "m", isOpenAI };
    const messages = [{ role: "user" as const, content: "hi", name: "Ann" }];
    const events = await model(
      target,
      { messages, tokens: 1, maxOutputTokens: 100 },
      ask("", { parameters: { temperature: 0.5, stop: ["."] }, cacheKey: "conversation" }),
    );
    await said({ model: "m", events });
    const { at: _at, isCut: _isCut, sent: _sent, authorization: _authorization, ...body } = fake.requests[0]!;
    expect(body).toEqual({
      model: "m",
      messages,
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0.5,
      stop: ["."],
      ...own,
    });
  });

  it("has its connection closed when the reader stops at the first token", async () => {
    fake.next({ flood: "word " });
    const { events } = await createInstance(table, { url: fake.url }).ask(ask());
    for await (const _ of events) break;
    await expect.poll(() => fake.requests[0]!.isCut).toBe(true);
  });

  it("must send its first token within the turn's time", async () => {
    fake.always({ firstToken: 5000 });
    const error = failure(createInstance(table, { url: fake.url }).ask(ask("hi", { firstTokenWithin: 300 })));
    expect(await error).toMatchObject({ failure: "down", message: "the first token did not arrive in time" });
    expect(fake.requests).toHaveLength(1);
  });

  it("resolves with the first token, not with the last", async () => {
    fake.always({ perToken: 300 });
    const answer = await createInstance(table, { url: fake.url }).ask(ask("one two three"));
    const began = Date.now();
    expect(await said(answer)).toBe("You said: one two three");
    // Four more tokens follow the first one.
    expect(Date.now() - began).toBeGreaterThan(700);
  });

  it.each([408, 409, 429, 500, 502, 503])("is asked again after a %i", async (status) => {
    fake.next({ status });
    expect(await said(await createInstance(table, { url: fake.url }).ask(ask("hi")))).toBe("You said: hi");
    expect(fake.requests).toHaveLength(2);
  });

  it.each([400, 413, 422])("is not asked again after a %i, and no fallback is asked", async (status) => {
    fake.next({ status });
    const model = createInstance(table, { url: fake.url, fallbacks: [`model-b@${other.url}`] });
    expect(await failure(model.ask(ask()))).toMatchObject({ failure: "refused", status });
    expect([fake.requests.length, other.requests.length]).toEqual([1, 0]);
  });

  it.each([
    ["retry-after-ms", "300"],
    ["retry-after", "0.3"],
    // A server whose clock is years behind.
    ["retry-after", "Thu, 01 Jan 2015 00:00:01 GMT"],
  ])("waits as long as %s says", async (name, value) => {
    fake.next({ status: 429, headers: { [name]: value, date: "Thu, 01 Jan 2015 00:00:00 GMT" } });
    await said(await createInstance(table, { url: fake.url }).ask(ask()));
    const [first, second] = fake.requests;
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(290);
  });

  it("is retried with jitter, and fails after its attempts with the provider's Retry-After", async () => {
    fake.always({ status: 429, headers: { "retry-after-ms": "40" } });
    const error = await failure(createInstance(table, { url: fake.url }).ask(ask()));
    expect(error).toMatchObject({ failure: "busy", retryAfter: 40 });
    expect(fake.requests).toHaveLength(3);
  });

  it.each([
    ["is asked again", { headers: { "retry-after": "5" }, requestsPerMinute: 0 }],
    ["waits in the queue", { headers: {}, requestsPerMinute: 10 }],
  ])("ends at once when the caller aborts while it %s", async (_when, { headers, requestsPerMinute }) => {
    fake.next({ status: 429, headers });
    const options = { url: fake.url, fallbacks: [`model-b@${other.url}`], requestsPerMinute, patience: 9000 };
    const abort = new AbortController();
    const error = failure(createInstance(table, options).ask(ask("hi", { signal: abort.signal })));
    await expect.poll(() => fake.requests.length).toBe(1);
    const began = performance.now();
    setTimeout(() => abort.abort(), 100);
    expect(await error).toMatchObject({ failure: "unusable", message: "the caller has aborted the request" });
    expect(performance.now() - began).toBeLessThan(3000);
    expect([fake.requests.length, other.requests.length]).toEqual([1, 0]);
  });

  it("does not wait past its deadline", async () => {
    fake.always({ status: 429, headers: { "retry-after": "30" } });
    const began = Date.now();
    const error = await failure(createInstance(table, { url: fake.url }).ask(ask()));
    expect(error).toMatchObject({ failure: "busy", retryAfter: 30_000 });
    expect(Date.now() - began).toBeLessThan(10_000);
    expect(fake.requests).toHaveLength(1);
  });

  it.each([
    ["connect", "the provider did not answer in time"],
    ["first token", "the first token did not arrive in time"],
  ] as const)("is asked again when it hangs before its %s", async (hang, message) => {
    fake.next({ hang });
    const model = createInstance(table, { url: fake.url, connect: 1000, firstToken: 1000 });
    expect(await said(await model.ask(ask("hi")))).toBe("You said: hi");
    fake.always({ hang });
    const slow = createInstance(table, { url: fake.url, connect: 100, firstToken: 100, maxAttempts: 1 });
    expect((await failure(slow.ask(ask()))).message).toBe(message);
  });

  it("is asked again after a reset before the first token, and never after it", async () => {
    const model = createInstance(table, { url: fake.url });
    fake.next({ resetAfter: 0 });
    expect(await said(await model.ask(ask("hi")))).toBe("You said: hi");
    expect(fake.requests).toHaveLength(2);
    fake.next({ resetAfter: 2, perToken: 30 });
    expect(await failure(said(await model.ask(ask("hi"))))).toMatchObject({ failure: "down" });
    expect(fake.requests).toHaveLength(3);
  });

  it.each([
    ["a malformed chunk", { malformedAfter: 2 }],
    ["an end without a reason", { endAfter: 2 }],
    ["a silence", { hang: "mid-stream" }],
  ] as const)("breaks off at %s within the answer", async (_, behaviour) => {
    fake.next(behaviour);
    const model = createInstance(table, { url: fake.url, firstToken: 150 });
    expect(await failure(said(await model.ask(ask("one two three"))))).toBeInstanceOf(ModelError);
    expect(fake.requests).toHaveLength(1);
  });

  it("is replaced by the next one, in order", async () => {
    fake.always({ status: 500 });
    const model = createInstance(table, {
      url: fake.url,
      fallbacks: ["model-b", `model-c@${other.url}`],
      maxAttempts: 1,
      threshold: 10,
    });
    const answer = await model.ask(ask("hi"));
    expect(answer.model).toBe("model-c");
    expect(await said(answer)).toBe("You said: hi");
    expect(fake.requests.map((request) => request.model)).toEqual(["model-a", "model-b"]);
  });

  it("is replaced when it is not known there", async () => {
    fake.always({ status: 404 });
    const model = createInstance(table, { url: fake.url, fallbacks: [`model-c@${other.url}`] });
    expect((await model.ask(ask())).model).toBe("model-c");
    expect(fake.requests).toHaveLength(1);
  });
});

describe("the circuit breaker", () => {
  it("opens for all instances, lets one of them make a trial call, and closes for all", async () => {
    fake.always({ status: 500 });
    const options = { url: fake.url, maxAttempts: 1, threshold: 3, openFor: 2000 };
    const instances = Array.from({ length: 4 }, () => createInstance(table, options));
    for (const model of instances.slice(0, 3)) expect(await failure(model.ask(ask()))).toMatchObject({ status: 500 });
    // The fourth has seen nothing fail.
    const error = await failure(instances[3]!.ask(ask()));
    expect(error).toMatchObject({ failure: "unusable", message: expect.stringContaining("open") });
    expect(error.retryAfter).toBeGreaterThan(0);
    expect(fake.requests).toHaveLength(3);

    await new Promise((resolve) => setTimeout(resolve, 2050));
    fake.always({ delay: 100 });
    const fresh = Array.from({ length: 4 }, () => createInstance(table, options));
    const tries = await Promise.allSettled(fresh.map((model) => model.ask(ask())));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(fake.requests).toHaveLength(4);
    for (const model of Array.from({ length: 3 }, () => createInstance(table, options)))
      await said(await model.ask(ask()));
  });

  it("stays open when the trial call fails", async () => {
    fake.always({ status: 503 });
    const options = { url: fake.url, maxAttempts: 1, threshold: 2, openFor: 1000 };
    const instance = () => createInstance(table, options);
    for (let n = 0; n < 2; n++) await failure(instance().ask(ask()));
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect(await failure(instance().ask(ask()))).toMatchObject({ status: 503 });
    expect(await failure(instance().ask(ask()))).toMatchObject({ failure: "unusable" });
    expect(fake.requests).toHaveLength(3);
  });

  describe("that lets one call try", () => {
    /** Milliseconds: of a clock that stands still between the steps of a test. */
    let now = 0;
    const instance = (more: Partial<ModelOptions> = {}) =>
      createInstance(table, {
        url: fake.url,
        maxAttempts: 1,
        threshold: 1,
        openFor: 10_000,
        clock: () => now,
        ...more,
      });
    /** Opens the circuit, and waits until a call may try. */
    const openAndWait = async () => {
      now = Date.now();
      fake.next({ status: 500 });
      expect(await failure(instance().ask(ask()))).toMatchObject({ status: 500 });
      expect(await failure(instance().ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
      now += 10_000;
      fake.requests.length = 0;
    };

    it.each([302, 400, 401, 404, 409, 422, 429])(
      "closes when the provider answers %i, because the provider works",
      async (status) => {
        await openAndWait();
        fake.next({ status });
        const first = instance();
        expect(await failure(first.ask(ask()))).toMatchObject({ status });
        // The instance that tried, and new ones, all at once: a circuit that is open lets one of them through.
        fake.always({ delay: 100 });
        const models = [first, ...Array.from({ length: 8 }, () => instance())];
        await Promise.all(models.map(async (model) => said(await model.ask(ask()))));
      },
    );

    it("closes for an instance that has not read the new state yet", async () => {
      await openAndWait();
      const late = instance();
      now -= 1;
      expect(await failure(late.ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
      now += 1;
      await said(await instance().ask(ask()));
      await said(await late.ask(ask()));
    });

    it("lets the next call be the trial at once when the trial call was aborted", async () => {
      await openAndWait();
      fake.next({ hang: "connect" });
      const abort = new AbortController();
      const trying = failure(instance().ask(ask("hi", { signal: abort.signal })));
      await expect.poll(() => fake.requests.length).toBe(1);
      expect(await failure(instance().ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
      abort.abort();
      expect(await trying).toMatchObject({ failure: "unusable", message: "the caller has aborted the request" });
      await said(await instance().ask(ask()));
    });

    it("lets the next call be the trial at once when there was no API key", async () => {
      await openAndWait();
      const apiKey = () => Promise.reject(new ModelError("unusable", "the secret cannot be read"));
      expect(await failure(instance({ apiKey }).ask(ask()))).toMatchObject({ message: "the secret cannot be read" });
      expect(fake.requests).toHaveLength(0);
      await said(await instance().ask(ask()));
    });

    it("lets the next call be the trial when the instance of the first trial was killed", async () => {
      await openAndWait();
      fake.next({ hang: "connect" });
      const abort = new AbortController();
      const dying = failure(instance().ask(ask("hi", { signal: abort.signal })));
      await expect.poll(() => fake.requests.length).toBe(1);
      now += 999;
      expect(await failure(instance().ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
      now += 1;
      fake.next({ hang: "connect" });
      const secondAbort = new AbortController();
      const second = failure(instance().ask(ask("hi", { signal: secondAbort.signal })));
      await expect.poll(() => fake.requests.length).toBe(2);
      // The end of the first does not end the second.
      abort.abort();
      await dying;
      expect(await failure(instance().ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
      secondAbort.abort();
      await second;
    });

    it("stays open for as long again when the provider fails again", async () => {
      await openAndWait();
      fake.next({ status: 503 });
      // The try might have taken longer than the circuit stays open; it has not.
      expect(await failure(instance({ probeFor: 60_000 }).ask(ask()))).toMatchObject({ status: 503 });
      now += 9999;
      expect(await failure(instance().ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
      now += 1;
      await said(await instance().ask(ask()));
    });
  });

  it("does not count calls that were aborted", async () => {
    fake.always({ hang: "connect" });
    const instance = () => createInstance(table, { url: fake.url, maxAttempts: 1, threshold: 1 });
    for (let n = 1; n <= 3; n++) {
      const abort = new AbortController();
      const given = failure(instance().ask(ask("hi", { signal: abort.signal })));
      await expect.poll(() => fake.requests.length).toBe(n);
      abort.abort();
      await given;
    }
  });

  it("lets calls through when the store fails", async () => {
    const fails = () => Promise.reject(new Error("the store fails"));
    const store = new Proxy({} as ProviderStore, { get: () => fails });
    const model = createInstance(table, { url: fake.url, maxAttempts: 1, threshold: 1, store });
    fake.next({ status: 500 }, { status: 500 });
    for (let n = 0; n < 2; n++) expect(await failure(model.ask(ask()))).toMatchObject({ status: 500 });
    expect(await said(await model.ask(ask("hi")))).toBe("You said: hi");
  });

  it("does not count errors that are not the provider's", async () => {
    fake.always({ status: 429 });
    const instance = () => createInstance(table, { url: fake.url, maxAttempts: 1, threshold: 2 });
    for (let n = 0; n < 4; n++) expect(await failure(instance().ask(ask()))).toMatchObject({ status: 429 });
  });

  it("is known to an instance within 5 s", async () => {
    let now = Date.now();
    const instance = () =>
      createInstance(table, { url: fake.url, maxAttempts: 1, threshold: 1, openFor: 60_000, clock: () => now });
    const old = instance();
    await said(await old.ask(ask()));
    fake.next({ status: 500 });
    await failure(instance().ask(ask()));
    now += 4999;
    await said(await old.ask(ask()));
    now += 1;
    expect(await failure(old.ask(ask()))).toMatchObject({ message: expect.stringContaining("circuit") });
  });

  it("makes no second trial in an instance whose trial has closed it", async () => {
    let now = Date.now();
    const store = createProviderStore(table);
    const claimed = vi.spyOn(store, "claimProbe");
    const options = { url: fake.url, maxAttempts: 1, threshold: 1, openFor: 1000, clock: () => now, store };
    const model = createInstance(table, options);
    fake.next({ status: 500 });
    await failure(model.ask(ask()));
    now += 1000;
    for (let n = 0; n < 3; n++) await said(await model.ask(ask()));
    expect(claimed).toHaveBeenCalledTimes(1);
  });

  it("forgets an instance's own failures after its next success", async () => {
    const model = createInstance(table, { url: fake.url, maxAttempts: 1, threshold: 2 });
    for (let n = 0; n < 3; n++) {
      fake.next({ status: 500 });
      expect(await failure(model.ask(ask()))).toMatchObject({ status: 500 });
      await said(await model.ask(ask()));
    }
  });

  it("forgets failures after a success", async () => {
    const instance = () => createInstance(table, { url: fake.url, maxAttempts: 1, threshold: 2 });
    for (let n = 0; n < 3; n++) {
      fake.next({ status: 500 });
      await failure(instance().ask(ask()));
      await said(await instance().ask(ask()));
    }
  });

  it("lets turns use the fallback at once while it is open", async () => {
    fake.always({ status: 500 });
    const instance = () =>
      createInstance(table, {
        url: fake.url,
        fallbacks: [`model-c@${other.url}`],
        maxAttempts: 1,
        threshold: 1,
        openFor: 5000,
      });
    await said(await instance().ask(ask()));
    await said(await instance().ask(ask()));
    expect([fake.requests.length, other.requests.length]).toEqual([1, 2]);
  });
});

describe("the queue", () => {
  it("has no slot for calls that an open circuit rejects: they use the fallback at once", async () => {
    fake.always({ status: 500 });
    // A slot is 65 s long: a second call that took one would be refused.
    const options = {
      url: fake.url,
      requestsPerMinute: 1,
      patience: 100,
      maxAttempts: 1,
      threshold: 1,
      openFor: 60_000,
    };
    expect(await failure(createInstance(table, options).ask(ask()))).toMatchObject({ status: 500 });
    for (let n = 0; n < 3; n++) {
      const error = await failure(createInstance(table, options).ask(ask()));
      expect(error.message).toContain("circuit");
    }
    const fallback = createInstance(table, { ...options, fallbacks: [`model-c@${other.url}`] });
    expect((await fallback.ask(ask())).model).toBe("model-c");
    expect(fake.requests).toHaveLength(1);
  });

  it("counts tokens as well, and refuses a turn whose slot begins after its deadline", async () => {
    // The prompt and its answer are 110 tokens: 65 s / 650 * 110 = 11 s, which is more than goes out at once.
    const model = createInstance(table, { url: fake.url, tokensPerMinute: 650, patience: 60_000 });
    await said(await model.ask(ask()));
    const began = performance.now();
    const error = await failure(model.ask(ask("hi", { firstTokenWithin: 2000 })));
    expect(error).toMatchObject({ failure: "unusable", message: expect.stringContaining("queue") });
    expect(error.retryAfter).toBeGreaterThan(2000);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(fake.requests).toHaveLength(1);
  });

  it("keeps all instances together within the provider's limit per minute, and refuses a turn that would wait too long", async () => {
    // A slot is 65 s / 600 = 109 ms long; calls of 5 s of slots start at once.
    const options = { url: fake.url, requestsPerMinute: 600, patience: 300 };
    const instances = Array.from({ length: 4 }, () => createInstance(table, options));
    const began = Date.now();
    const results = await Promise.allSettled(Array.from({ length: 60 }, (_, n) => instances[n % 4]!.ask(ask())));
    const refused = results.filter((result) => result.status === "rejected");
    const out = fake.requests.length;
    expect(out + refused.length).toBe(60);
    expect(out).toBeGreaterThanOrEqual(46);
    expect(out).toBeLessThanOrEqual(46 + Math.ceil((Date.now() - began + 300) / 109));
    // 60 calls are 6.5 s of slots: of those that do not start at once, three may wait long enough.
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ failure: "unusable" });
    expect(Math.min(...refused.map(({ reason }) => reason.retryAfter))).toBeGreaterThan(0);
  });
});
