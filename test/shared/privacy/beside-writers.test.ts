import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { type Api, startApi } from "../../support/start-api.ts";
import { storedTexts } from "../../support/stored-texts.ts";

/** Clients of the erased user, and of others. */
const WRITERS = 20;

/** Milliseconds between two writes of a client. */
const PAUSE = 50;

let api: Api;
let erasing: ReturnType<typeof createErasureWorld>;
beforeAll(async () => {
  api = await startApi();
  erasing = createErasureWorld(api.engines, api.world);
});
afterAll(() => api.close());

const said = (content: string) => ({ role: "user", content });

/** A write of every kind, with a text. */
const writes = [
  (text: string) => api.post("/v1/sessions/s/messages", said(text)),
  (text: string) => api.post("/v1/sessions", { title: text, metadata: { text } }),
  (text: string) => api.patch("/v1/sessions/s", { title: text }),
  (text: string) => api.post("/v1/events", { type: "custom", metadata: { text } }),
  (text: string) => api.post("/v1/files", { filename: text, media_type: "text/plain", bytes: 1 }),
  (text: string) =>
    api.post("/v1/sessions/s/messages", { role: "user", parts: [{ type: "file", data: `data:,${text}` }] }),
  (text: string) => api.post("/v1/sessions", { title: text }, { headers: { "idempotency-key": randomUUID() } }),
];

it("an erasure during the writes of 20 clients of the user and 20 of others leaves nothing of the user and everything of the others", {
  timeout: 240_000,
}, async () => {
  await api.post("/v1/sessions", { id: "s" });
  let phase: "before" | "during" | "over" = "before";
  const counts = { accepted: 0, refused: 0 };
  const wrong: string[] = [];
  const underWay = new Set<Promise<void>>();

  const writeOnce = async (writer: number, n: number) => {
    const began = phase;
    const { status, body, headers } = await writes[(writer + n) % writes.length]!(`ann-${began}-${writer}-${n}-mark`);
    if (status === 409 && body.code === "being_erased" && Number(headers["retry-after"]) > 0) counts.refused++;
    else if (status < 300 && began === "before") counts.accepted++;
    // The sweep has deleted the session under a request that began before.
    else if (began === "before" && phase !== "before" && [404, 409].includes(status)) counts.refused++;
    else wrong.push(`${began}: ${status} ${JSON.stringify(body)}`);
  };
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let n = 0; phase !== "over"; n++) {
      const write = writeOnce(writer, n);
      underWay.add(write);
      await write.finally(() => underWay.delete(write));
      await sleep(PAUSE);
    }
  });
  const kept: string[][] = Array.from({ length: WRITERS }, () => []);
  const others = kept.map(async (texts, other) => {
    const options = { user: `other-${other}` };
    await api.post("/v1/sessions", { id: "s" }, options);
    for (let n = 0; phase !== "over"; n++) {
      const text = `other-${other}-${n}`;
      if ((await api.post("/v1/sessions/s/messages", said(text), options)).status === 201) texts.push(text);
      await sleep(PAUSE);
    }
  });

  await expect.poll(() => counts.accepted, { timeout: 100_000 }).toBeGreaterThan(3 * WRITERS);
  const { id: receipt } = await erasing.request("ann");
  // Requests that began before it may still write. The sweep runs beside them.
  const earlier = [...underWay];
  phase = "during";
  await erasing.run();
  await Promise.all(earlier);
  expect((await erasing.request("ann")).id).toBe(receipt);
  await expect.poll(() => counts.refused, { timeout: 100_000 }).toBeGreaterThan(3 * WRITERS);
  // Once it is complete, the user may write again.
  const { complete } = erasing.deps.erasures;
  erasing.deps.erasures.complete = async (...args) => {
    phase = "over";
    await Promise.all(writers);
    return complete(...args);
  };
  api.world.advance(GRACE);
  for (let runs = 0; runs < 10 && (await erasing.receipt(receipt)).status === "running"; runs++) await erasing.run();
  await Promise.all([...writers, ...others]);

  expect(wrong).toEqual([]);
  const { status, stores } = await erasing.receipt(receipt);
  expect(status).toBe("complete");
  // Refused requests leave records without content, and the receipt says so.
  const left = stores.filter(({ remaining }) => remaining > 0).map(({ name }) => name);
  expect(left.filter((name) => name !== "idempotency records")).toEqual([]);
  const texts = (await storedTexts(api.engines)).join("\n");
  expect(texts.match(/ann-\w+-\d+-\d+-mark/g)).toBeNull();
  for (const [other, written] of kept.entries()) {
    expect(written.length).toBeGreaterThan(0);
    // The clock stands still, so the messages of a session have one time, and no order.
    expect((await api.world.hot(`other-${other}`, "s")).sort()).toEqual(written.sort());
  }
});
