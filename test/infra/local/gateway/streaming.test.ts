import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningGateway, startGateway } from "../fixture-gateway.ts";

/** A streaming function with the source `body`. */
const streaming = (body: string) => `import { setTimeout as sleep } from "node:timers/promises";
import { once } from "node:events";
export const handler = awslambda.streamifyResponse(async (event, responseStream, context) => {
  const begin = (prelude) => awslambda.HttpResponseStream.from(responseStream, prelude);
  ${body}
});`;

/** Pieces of 64 KiB in a large response: 100 MiB, because the kernel alone may buffer 36 MiB for a client that does not read. */
const PIECES = 1_600;

const head = `{ statusCode: 201, headers: { "content-type": "text/event-stream" } }`;

let gateway: RunningGateway;

beforeAll(async () => {
  const functions = {
    ticks: streaming(`const out = begin(${head});
      globalThis.most = Math.max(globalThis.most ?? 0, (globalThis.running = (globalThis.running ?? 0) + 1));
      for (let i = 0; i < 3; i++) { out.write("data: " + i + "\\n\\n"); await sleep(150); }
      globalThis.running -= 1;
      out.write("most: " + globalThis.most);
      out.end();`),
    large: streaming(`const out = begin({ statusCode: 200 });
      globalThis.written = 0;
      for (let i = 0; i < ${PIECES}; i++) {
        globalThis.written += 65536;
        if (!out.write(Buffer.alloc(65536, 97))) await once(out, "drain");
      }
      console.error("large ran to its end");
      out.end();`),
    tardy: streaming(`await sleep(500); const out = begin({ statusCode: 200 }); out.write("too late"); out.end();
      console.error("tardy ran to its end");`),
    early: streaming(`throw new Error("before anything");`),
    late: streaming(
      `const out = begin(${head}); out.write("some"); await sleep(50); throw new Error("in the middle");`,
    ),
    bare: streaming(`responseStream.write("no prelude"); responseStream.end();`),
    silent: streaming(`begin({ statusCode: 200 }).end();`),
    endless: streaming(`const out = begin({ statusCode: 200 });
      for (let i = 0; i < 20; i++) { out.write("x"); await sleep(20); }
      console.error("ran to its end");
      out.end();`),
    plain: `export const handler = async () => ({ statusCode: 200, body: "not streamed" });`,
  };
  const routes = Object.keys(functions).map((name) => ({
    method: "GET",
    path: `/${name}`,
    function: name,
    streaming: true,
    ...(name === "tardy" && { timeout: 100 }),
  }));
  gateway = await startGateway({ functions, routes });
});

afterAll(() => gateway.stop());

test("a stream reaches the client in pieces, with the status and headers first", async () => {
  const response = await fetch(`${gateway.url}/ticks`);
  expect(response.status).toBe(201);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const at: number[] = [];
  let text = "";
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    at.push(performance.now());
    text += Buffer.from(piece).toString();
  }
  expect(text).toMatch(/^data: 0\n\ndata: 1\n\ndata: 2\n\n/);
  expect((at.at(-1) ?? 0) - (at[0] ?? 0)).toBeGreaterThan(200);
});

test("a large stream arrives completely", async () => {
  const body = await (await fetch(`${gateway.url}/large`)).bytes();
  expect(body.length).toBe(PIECES * 65_536);
  expect(body.every((byte) => byte === 97)).toBe(true);
});

test("a function waits while its client does not read", async () => {
  const response = await new Promise<import("node:http").IncomingMessage>((resolve) => {
    request(`${gateway.url}/large`, resolve).end();
  });
  response.pause();
  let before = -1;
  let buffered = 0;
  while (buffered !== before) {
    before = buffered;
    await new Promise((resolve) => setTimeout(resolve, 200));
    buffered = response.socket.bytesRead;
  }
  expect(buffered).toBeLessThan(2_000_000);
  let length = 0;
  for await (const piece of response) length += (piece as Buffer).length;
  expect(length).toBe(PIECES * 65_536);
});

test("an error before the first byte and a stream without a prelude cause 502", async () => {
  for (const path of ["early", "bare", "silent", "plain"]) {
    const response = await fetch(`${gateway.url}/${path}`);
    expect([path, response.status]).toEqual([path, 502]);
    expect(await response.json()).toEqual({ message: "Internal server error" });
  }
});

test("an error after the first byte closes the connection, so that the client notices it", async () => {
  const response = await fetch(`${gateway.url}/late`);
  expect(response.status).toBe(201);
  await expect(response.text()).rejects.toThrow();
  await expect.poll(() => gateway.requests.find(({ path }) => path === "/late")?.cause).toContain("in the middle");
});

test("a function runs to its end when its client disconnects, as on Lambda", async () => {
  const abort = new AbortController();
  const response = await fetch(`${gateway.url}/endless`, { signal: abort.signal });
  await response.body?.getReader().read();
  abort.abort();
  await expect.poll(() => gateway.logs.map(({ text }) => text).join()).toContain("ran to its end");
});

test("a function that waits for its client continues when the client disconnects", async () => {
  const ended = () => gateway.logs.filter(({ text }) => text.includes("large ran to its end")).length;
  // The function of an earlier test may log its end after its client has all bytes.
  const before = gateway.requests.filter(({ path }) => path === "/large").length;
  await expect.poll(ended).toBe(before);
  const response = await new Promise<import("node:http").IncomingMessage>((resolve) => {
    request(`${gateway.url}/large`, resolve).end();
  });
  response.pause();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(ended()).toBe(before);
  response.destroy();
  await expect.poll(ended).toBe(before + 1);
});

test("a stream that begins after the gateway's timeout is discarded", async () => {
  const response = await fetch(`${gateway.url}/tardy`);
  expect([response.status, await response.json()]).toEqual([504, { message: "Endpoint request timed out" }]);
  const said = () => gateway.logs.map(({ text }) => text).join();
  await expect.poll(said).toContain("tardy ran to its end");
});

test("a streaming function serves many requests at once in one worker", async () => {
  const texts = await Promise.all(
    Array.from({ length: 100 }, async () => await (await fetch(`${gateway.url}/ticks`)).text()),
  );
  for (const text of texts) expect(text).toMatch(/^data: 0\n\ndata: 1\n\ndata: 2\n\nmost: \d+$/);
  const most = texts.map((text) => Number(/\d+$/.exec(text)?.[0]));
  expect(Math.max(...most)).toBeGreaterThan(10);
});
