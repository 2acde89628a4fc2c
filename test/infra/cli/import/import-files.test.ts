import fc from "fast-check";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type ImportOptions, importFiles } from "../../../../infra/cli/import/import-files.ts";
import { sessionId } from "../../../../infra/cli/import/plan-session.ts";
import { isComplete, type Summary } from "../../../../infra/cli/import/summary.ts";
import { type FakeApi, type Fault, startFakeApi } from "./fake-api.ts";
import { chatgptConversation, plainLine } from "./fixtures.ts";
import { createScratch } from "./scratch.ts";

const patient = { attempts: 6, baseMs: 1, capMs: 4 };

let api: FakeApi;

beforeEach(async () => {
  api = await startFakeApi();
  onTestFinished(() => api.close());
});

function run(files: string[], more: Partial<ImportOptions> = {}): Promise<Summary> {
  return importFiles({ files, url: api.url, token: "ann", retry: patient, ...more });
}

function write(content: string, name = "input.jsonl"): string {
  return createScratch().write(name, content);
}

const counts = ({ imported, existing, resumed, bad, failed, interrupted, messages }: Summary) => ({
  imported,
  existing,
  resumed,
  bad,
  failed,
  interrupted,
  messages,
});
const none = { imported: 0, existing: 0, resumed: 0, bad: 0, failed: 0, interrupted: 0, messages: 0 };

describe("an import", () => {
  test("stores every session completely, and nothing twice", async () => {
    const file = write(plainLine("a", 3) + plainLine("b", 250) + plainLine("c/1", 0));
    expect(counts(await run([file]))).toEqual({ ...none, imported: 3, messages: 253 });
    const state = api.state();
    expect(Object.keys(state)).toEqual([`ann/${sessionId("c/1")}`, "ann/a", "ann/b"]);
    expect(state["ann/b"]?.messages).toHaveLength(250);
    expect(state["ann/b"]?.messages[249]).toEqual({ role: "assistant", content: "b, turn 249" });

    expect(counts(await run([file]))).toEqual({ ...none, existing: 3 });
    expect(api.state()).toEqual(state);
  });

  test("keeps an id that the API does not accept in the session's metadata, and counts it", async () => {
    const summary = await run([write(plainLine("dev/1", 1) + plainLine("b", 1))]);
    expect(summary.changes).toEqual({ moved: 0, renamed: 1, mended: 0, detached: 0 });
    const sessions = api.users.get("ann")!;
    expect(sessions.get(sessionId("dev/1"))!.metadata).toEqual({ source_id: "dev/1", import_id: expect.any(String) });
    expect(sessions.get("b")!.metadata).toEqual({ import_id: expect.any(String) });
  });

  test.each(["", "[]"])("reports a file without a conversation, %j, and is not complete", async (content) => {
    const summary = await run([write(content, "none.json"), write(plainLine("a", 1))]);
    expect(counts(summary)).toEqual({ ...none, imported: 1, bad: 1, messages: 1 });
    expect(summary.problems).toEqual([
      {
        kind: "bad",
        file: expect.stringMatching(/none\.json$/),
        place: "file",
        reason: "the file has no conversation",
      },
    ]);
    expect(isComplete(summary)).toBe(false);
  });

  test("sends one request for a short session and one for its messages", async () => {
    await run([write(plainLine("a", 90))]);
    expect(api.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /v1/sessions",
      "POST /v1/sessions/a/messages",
    ]);
  });

  test("does not change an archived session that is complete, and completes one that is not", async () => {
    const file = write(plainLine("a", 3) + plainLine("b", 200));
    await run([file]);
    for (const session of api.users.get("ann")!.values()) session.status = "archived";
    api.users.get("ann")!.get("b")!.messages.length = 99;
    expect(counts(await run([file]))).toEqual({ ...none, existing: 1, resumed: 1, messages: 101 });
    expect(api.users.get("ann")!.get("a")!.status).toBe("archived");
    expect(api.users.get("ann")!.get("b")!.messages).toHaveLength(200);
  });

  test("adds the new messages of a conversation", async () => {
    await run([write(plainLine("a", 150))]);
    expect(counts(await run([write(plainLine("a", 230))]))).toEqual({ ...none, resumed: 1, messages: 80 });
    const contents = api.users
      .get("ann")!
      .get("a")!
      .messages.map(({ content }) => content);
    expect(contents).toEqual(Array.from({ length: 230 }, (_, i) => `a, turn ${i}`));
  });

  test("stores a session again after the session or its messages were deleted", async () => {
    const file = write(plainLine("a", 120) + plainLine("b", 120));
    await run([file]);
    const state = api.state();
    api.users.get("ann")!.delete("a");
    api.users.get("ann")!.get("b")!.messages.length = 0;
    const { imported, resumed } = await run([file]);
    expect([imported, resumed]).toEqual([1, 1]);
    expect(api.state()).toEqual(state);
  });

  test("sends a conversation once when it is in two files", async () => {
    const chat = JSON.stringify([chatgptConversation("c", [{ role: "user", parts: ["hi"] }])]);
    const { directory, write } = createScratch();
    write("conversations-000.json", chat);
    write("conversations-001.json", chat);
    expect(counts(await run([directory]))).toEqual({ ...none, imported: 1, existing: 1, messages: 1 });
    expect(api.state()).toEqual({
      "ann/c": { title: "Chat c", messages: [expect.objectContaining({ content: "hi" })] },
    });
  });

  test("never sends two requests for the same session at the same time, even when the input has it twice", async () => {
    let underWay = 0;
    let most = 0;
    api.before = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay -= 1;
    };
    const summary = await run([write(plainLine("a", 120).repeat(4))], { concurrency: 4 });
    expect([most, summary.imported, summary.existing]).toEqual([1, 1, 3]);
  });

  test("gives sessions their TTL, their times and their users", async () => {
    const file = write(
      plainLine("a", 2, { user: "bob", started_at: "2024-01-01T00:00:00Z" }) + plainLine("b", 1, { user: "eve" }),
    );
    await run([file], { token: "svc+act-as", userField: "user", ttlSeconds: 60 });
    expect(Object.keys(api.state())).toEqual(["bob/a", "eve/b"]);
    const session = api.users.get("bob")!.get("a")!;
    expect(session).toMatchObject({ ttl_seconds: 60, created_at: "2024-01-01T00:00:00.000Z" });
    expect(session.messages.map(({ created_at: at }) => at)).toEqual([
      "2024-01-01T00:00:00.000Z",
      "2024-01-01T00:00:00.001Z",
    ]);
    await run([file], { token: "svc+act-as", user: "zoe" });
    expect(Object.keys(api.state())).toEqual(["bob/a", "eve/b", "zoe/a", "zoe/b"]);
  });

  test("refuses a time more than 24 hours in the future before it stores any part of the session", async () => {
    const clock = () => Date.parse("2026-11-21T12:00:00Z");
    const [edge, late] = ["2026-11-22T12:00:00.000Z", "2026-11-22T12:00:00.001Z"];
    const messages = [...Array(120).fill({ role: "user", text: "x" }), { role: "user", text: "y", ts: late }];
    const file = write(
      plainLine("a", 1, { started_at: edge }) +
        plainLine("b", 0, { started_at: late }) +
        `${JSON.stringify({ session: "c", messages, started_at: "2026-11-21" })}\n`,
    );
    const summary = await run([file], { clock });
    expect(counts(summary)).toEqual({ ...none, imported: 1, bad: 2, messages: 1 });
    expect(summary.problems.map(({ id, reason }) => [id, reason])).toEqual([
      ["b", "created_at: must be at most 24 hours in the future"],
      ["c", "messages.120.created_at: must be at most 24 hours in the future"],
    ]);
    expect(Object.keys(api.state())).toEqual(["ann/a"]);
  });

  test("reports bad records with their place, id and reason, and imports the other records", async () => {
    const file = write(
      [
        plainLine("a", 1).trim(),
        "{broken",
        '{"session":"b"}',
        '{"session":"c","messages":[{"role":"bot","text":""}]}',
        '{"session":"d","messages":[{"role":"user","text":"","ts":"soon"}]}',
        JSON.stringify({ session: "e", messages: [{ role: "user", text: "x".repeat(300 * 1024 + 1) }] }),
        plainLine("f", 1).trim(),
      ].join("\n"),
    );
    const seen: string[] = [];
    const summary = await run([file], { onProblem: ({ place, id }) => seen.push(`${place} ${id ?? "?"}`) });
    expect(counts(summary)).toEqual({ ...none, imported: 2, bad: 5, messages: 2 });
    expect(seen).toEqual(["line 2 ?", "line 3 b", "line 4 c", "line 5 d", "line 6 e"]);
    expect(summary.problems.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^invalid JSON/),
      expect.stringMatching(/^missing messages/),
      expect.stringMatching(/unknown role "bot"/),
      expect.stringMatching(/bad date "soon"/),
      expect.stringMatching(/must be at most 307200 bytes/),
    ]);
    const more = await run([write(plainLine("g", 1))], { userField: "user", token: "svc+act-as" });
    expect(more.problems[0]?.reason).toBe("user: missing; it must name the user");
  });

  test("reads a record only when there is room for it in memory", async () => {
    let atOnce = 0;
    let most = 0;
    api.before = async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setTimeout(resolve, 2));
      atOnce--;
    };
    const line = plainLine("x", 1, { pad: "x".repeat(20_000) });
    const file = write(Array.from({ length: 100 }, (_, i) => line.replaceAll('"x"', `"x${i}"`)).join(""));
    let lead = 0;
    await run([file], {
      concurrency: 3,
      onProgress: ({ read, imported }) => {
        lead = Math.max(lead, read - imported * line.length);
      },
    });
    expect(most).toBe(3);
    // Never more than two chunks and the records under way, of 2 MB.
    expect(lead).toBeLessThan(700_000);
  });
});

describe("an import, when the server or the network fails,", () => {
  const faults: Fault[] = [
    "drop",
    "lose",
    { status: 429, retryAfter: "0" },
    { status: 503 },
    { status: 500 },
    { status: 408 },
  ];

  test("repeats requests, and each request has one effect", async () => {
    const file = write(plainLine("a", 150) + plainLine("b", 99) + plainLine("c", 1));
    const kinds = fc.array(fc.option(fc.constantFrom(...faults)), { minLength: 10, maxLength: 10 });
    await run([file]);
    const expected = api.state();
    await fc.assert(
      fc.asyncProperty(kinds, async (list) => {
        api.users.clear();
        const from = api.requests.length;
        // At most two in a row, which is less than the number of attempts.
        api.fault = ({ n }) => ((n - from) % 3 === 0 ? undefined : (list[(n - from) % list.length] ?? undefined));
        const summary = await run([file], { concurrency: 1 });
        expect(counts(summary)).toEqual({ ...none, imported: 3, messages: 250 });
        expect(api.state()).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  test("waits as long as the server asks for", async () => {
    api.fault = ({ n }) => (n === 1 ? { status: 429, retryAfter: "1" } : undefined);
    const began = Date.now();
    await run([write(plainLine("a", 1))]);
    expect(Date.now() - began).toBeGreaterThanOrEqual(990);
  });

  test("counts a session as failed if it cannot be stored, and imports the others", async () => {
    api.fault = ({ path }) => (path.includes("/b/") ? { status: 503 } : undefined);
    const file = write(plainLine("a", 1) + plainLine("b", 1) + plainLine("c", 1));
    const summary = await run([file]);
    expect(counts(summary)).toEqual({ ...none, imported: 2, failed: 1, messages: 2 });
    expect(summary.problems[0]).toMatchObject({ kind: "failed", id: "b", reason: "503: told to (6 attempts)" });
    api.fault = () => undefined;
    expect(counts(await run([file]))).toEqual({ ...none, existing: 2, resumed: 1, messages: 1 });
  });

  test("does not repeat a refused request", async () => {
    api.fault = ({ path }) => (path.includes("/a/") ? { status: 422 } : undefined);
    const summary = await run([write(plainLine("a", 1) + plainLine("b", 1))]);
    expect(counts(summary)).toMatchObject({ imported: 1, failed: 1 });
    expect(api.requests.filter(({ path }) => path.includes("/a/"))).toHaveLength(1);
  });

  test("ends with a reason when the server no longer answers", async () => {
    const file = write(Array.from({ length: 100 }, (_, i) => plainLine(`s${i}`, 1)).join(""));
    api.fault = ({ n }) => (n > 20 ? "drop" : undefined);
    const summary = await run([file], { retry: { ...patient, attempts: 2 } });
    expect(summary.stopped).toMatch(
      /^20 conversations in a row could not be stored; the last error was: .*\(2 attempts\)$/,
    );
    expect(summary.failed + summary.imported).toBeLessThan(50);
    await expect(run([file], { url: "http://127.0.0.1:9", retry: { ...patient, attempts: 2 } })).rejects.toThrow(
      /no API answers at http:\/\/127\.0\.0\.1:9/,
    );
  });

  test("ends at once when the server refuses the token", async () => {
    const file = write(Array.from({ length: 100 }, (_, i) => plainLine(`s${i}`, 1)).join(""));
    const summary = await run([file], { user: "bob", concurrency: 2 });
    expect(summary.stopped).toMatch(/^the server refuses the token: 403: X-User-Id needs act-as/);
    expect(api.requests.length).toBeLessThan(5);
  });
});

test("an import repeats a request that got a 404 or 409 because the same request is still under way", async () => {
  const file = write(plainLine("a", 150));
  await run([file]);
  api.users.get("ann")!.get("a")!.messages.length = 99;
  const from = api.requests.length;
  const early = new Map<string, number>();
  api.fault = ({ method, path }) => {
    const count = (early.get(`${method} ${path}`) ?? 0) + 1;
    early.set(`${method} ${path}`, count);
    if (count > 2) return undefined;
    if (method === "GET") return { status: 404 };
    return path.endsWith("/messages") ? { status: 409 } : undefined;
  };
  expect(counts(await run([file]))).toEqual({ ...none, resumed: 1, messages: 51 });
  const sent = api.requests.slice(from).map(({ method, path }) => `${method} ${path}`);
  // Two must wait, one gets the stored answer of the first run, and the last one stores the missing messages.
  expect(sent.filter((each) => each === "POST /v1/sessions/a/messages")).toHaveLength(4);
  expect(api.users.get("ann")!.get("a")!.messages).toHaveLength(150);
});

describe("an interrupted import", () => {
  const file = () =>
    write(plainLine("a", 250) + plainLine("b", 3) + plainLine("c", 120) + plainLine("d", 0) + plainLine("e", 99));

  test("and run again ends in the same state as one complete run, after a stop at any request", async () => {
    const path = file();
    await run([path]);
    const expected = api.state();
    const total = api.requests.length;
    const point = fc.record({
      at: fc.integer({ min: 1, max: total }),
      fault: fc.constantFrom<Fault>("drop", "lose"),
      again: fc.integer({ min: 1, max: total }),
      concurrency: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(point, async ({ at, fault, again, concurrency }) => {
        api.users.clear();
        for (const last of [at, again]) {
          const from = api.requests.length;
          // From one request on, the process gets no answers, as if it were killed.
          api.fault = ({ n }) => (n - from < last ? undefined : n - from === last ? fault : "drop");
          await run([path], { concurrency, retry: { ...patient, attempts: 1 } });
        }
        api.fault = () => undefined;
        const summary = await run([path], { concurrency });
        expect(summary.imported + summary.existing + summary.resumed).toBe(5);
        expect(api.state()).toEqual(expected);
        expect(counts(await run([path]))).toEqual({ ...none, existing: 5 });
      }),
      { numRuns: 60 },
    );
  });

  test("stores messages once even if its last request finishes after the next run has begun", async () => {
    const path = write(plainLine("a", 120));
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let first = true;
    // The first run's first batch hangs, its connection is lost, and the next run sends the same batch before it is done.
    api.before = async ({ path: target }, hangUp) => {
      if (!target.endsWith("/messages") || !first) return;
      first = false;
      hangUp();
      await held;
    };
    const broken = await run([path], { retry: { ...patient, attempts: 1 } });
    expect(broken.failed).toBe(1);
    const resumed = await run([path]);
    expect(counts(resumed)).toEqual({ ...none, resumed: 1, messages: 120 });
    release();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(api.users.get("ann")!.get("a")!.messages).toHaveLength(120);
  });

  test("finishes the requests under way after Ctrl-C, and sends no more", async () => {
    const stop = new AbortController();
    api.before = ({ n }) => {
      if (n === 3) stop.abort();
    };
    const path = file();
    const summary = await run([path], { concurrency: 1, signal: stop.signal });
    expect(summary.stopped).toBe("interrupted");
    expect(api.requests).toHaveLength(3);
    expect(counts(summary)).toEqual({ ...none, interrupted: 1, messages: 198 });
    api.before = () => undefined;
    expect(counts(await run([path]))).toEqual({ ...none, imported: 4, resumed: 1, messages: 472 - 198 });
  });

  test("does not wait for a retry", async () => {
    const stop = new AbortController();
    api.fault = () => ({ status: 429, retryAfter: "60" });
    setTimeout(() => stop.abort(), 50);
    const summary = await run([write(plainLine("a", 1))], { signal: stop.signal });
    expect(counts(summary)).toEqual({ ...none, interrupted: 1 });
    expect(summary.seconds).toBeLessThan(5);
  });
});
