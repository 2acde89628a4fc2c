import { GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { createBuildExportJob } from "../../../functions/jobs/build-export.ts";
import { functions } from "../../../infra/functions.ts";
import { compileFilter } from "../../../infra/local/events/filter-pattern.ts";
import { exportKey, latestExportKey } from "../../../shared/dynamodb/keys.ts";
import type { ExportObjects } from "../../../shared/exports/build-export.ts";
import { createExportWorld } from "../../support/export-world.ts";
import { type Api, startApi } from "../../support/start-api.ts";

const DAY = 86_400_000;

let api: Api;
let world: ReturnType<typeof createExportWorld>;
beforeEach(async () => {
  await api?.close();
  api = await startApi();
  world = createExportWorld(api);
});
afterAll(() => api.close());

const said = (content: string, more: object = {}) => ({ role: "user", content, ...more });
const post = async (url: string, body?: unknown, user = "ann") => {
  const answer = await api.post(url, body, { user });
  expect([url, answer.status < 300, answer.body]).toEqual([url, true, answer.body]);
  return answer.body;
};

/** One of everything that a user can have. */
async function live(user = "ann") {
  await post(
    "/v1/sessions",
    { id: "hot", title: "Trip <b>to</b> Rome", metadata: { z: 1, a: [2] }, pinned: true },
    user,
  );
  const upload = await post("/v1/files", { filename: "../Plan é.txt", media_type: "text/plain", bytes: 4 }, user);
  await fetch(upload.upload.url, { method: "PUT", headers: upload.upload.headers, body: "Rome" });
  const answer = { model: "m", usage: { input_tokens: 3, output_tokens: 5, cost_usd: 0.01 }, finish_reason: "stop" };
  await post(
    "/v1/sessions/hot/messages",
    {
      messages: [
        said("Where to?", { id: "q1", name: "Ann" }),
        { role: "assistant", content: "Rome", id: "a1", ...answer, latency_ms: 7 },
        said("", {
          id: "q2",
          content: undefined,
          parts: [
            { file_id: upload.id, type: "file" },
            { text: "see", type: "text" },
          ],
        }),
        said("Why?", { id: "q2b", parent_id: "a1" }),
      ],
    },
    user,
  );
  await api.patch("/v1/sessions/hot", { head_id: "q2" }, { user });
  await post("/v1/sessions", { id: "cold", ttl_seconds: 60 }, user);
  await post("/v1/sessions/cold/messages", { messages: [said("archived"), said("script: <script>")] }, user);
  await api.world.deliver(user, "hot");
  await post("/v1/events", { type: "feedback", session_id: "hot", value: 1, metadata: { why: "good" } }, user);
  api.world.advance(61_000);
  await api.world.archiveJob({ Records: [(await api.world.sweep(user, "cold"))!] });
  await post("/v1/sessions", { id: "empty" }, user);
  return { file: upload.id as string };
}

const objects = async (Prefix = "exports/") =>
  ((await api.engines.s3.send(new ListObjectsV2Command({ Bucket: api.engines.bucket, Prefix }))).Contents ?? []).map(
    ({ Key = "" }) => Key,
  );
const uploads = async () =>
  (await api.engines.s3.send(new ListMultipartUploadsCommand({ Bucket: api.engines.bucket }))).Uploads ?? [];

describe("an export", () => {
  it("holds every session with all branches, files, memories, events and usage, and nothing of another user", async () => {
    const { file } = await live();
    await live("bob");
    const { manifest, linesOf, textOf, files, answer } = await world.export();
    expect(manifest.counts).toEqual({ sessions: 3, messages: 6, memories: 1, events: 1, files: 1 });
    expect(manifest).toMatchObject({ format: "memocha-export", version: 1, user_id: "ann" });

    const lines = linesOf("sessions");
    expect(lines.filter(({ type }) => type === "session").map(({ id }) => id)).toEqual(["cold", "empty", "hot"]);
    expect(textOf("sessions").split("\n").slice(4, 9)).toEqual([
      `{"type":"session","id":"hot","title":"Trip <b>to</b> Rome","created_at":"${lines[4].created_at}","ttl_seconds":3600,"pinned":true,"head_id":"q2","metadata":{"z":1,"a":[2]}}`,
      `{"type":"message","id":"q1","parent_id":null,"role":"user","name":"Ann","content":"Where to?","created_at":"${lines[5].created_at}"}`,
      `{"type":"message","id":"a1","parent_id":"q1","role":"assistant","content":"Rome","created_at":"${lines[5].created_at}","model":"m","status":"complete","finish_reason":"stop","latency_ms":7,"usage":{"input_tokens":3,"output_tokens":5,"cost_usd":0.01}}`,
      `{"type":"message","id":"q2","parent_id":"a1","role":"user","content":"see","created_at":"${lines[5].created_at}","parts":[{"type":"file","file_id":"${file}","media_type":"text/plain","filename":"../Plan é.txt"},{"type":"text","text":"see"}]}`,
      `{"type":"message","id":"q2b","parent_id":"a1","role":"user","content":"Why?","created_at":"${lines[5].created_at}"}`,
    ]);
    expect(linesOf("states")).toMatchObject([
      { id: "cold", status: "archived", message_count: 2, archived_at: expect.any(String) },
      { id: "empty", status: "active", message_count: 0 },
      { id: "hot", status: "active", message_count: 4, expires_at: null },
    ]);
    const path = `files/${file}-.._Plan__.txt`;
    expect(linesOf("files")).toEqual([
      {
        id: file,
        filename: "../Plan é.txt",
        media_type: "text/plain",
        bytes: 4,
        created_at: expect.any(String),
        session_id: "hot",
        path,
      },
    ]);
    expect(files.get(path)?.toString()).toBe("Rome");
    expect(linesOf("memories").map(({ content }) => content)).toEqual(["Rome"]);
    expect(linesOf("events")).toEqual([
      {
        id: expect.any(String),
        type: "feedback",
        session_id: "hot",
        value: 1,
        metadata: { why: "good" },
        created_at: expect.any(String),
      },
    ]);
    expect(JSON.parse(files.get("usage.json")?.toString() ?? "")).toEqual({ requests: 0 });
    expect(answer).toMatchObject({ counts: manifest.counts, expires_at: expect.any(String) });
    expect(await objects()).toEqual([`exports/ann/${answer.id}.zip`]);
  });

  it("has a copy for people, in which all content is escaped HTML", async () => {
    const { file } = await live();
    const { textOf } = await world.export();
    const page = textOf("conversations");
    expect(page).toContain("Trip &lt;b&gt;to&lt;/b&gt; Rome");
    expect(page).toContain("script: &lt;script&gt;");
    expect(page).not.toMatch(/<script|<b>/);
    expect(page).toContain(`href="files/${file}-.._Plan__.txt"`);
    expect(page.match(/another version/g)).toHaveLength(1);
  });

  it("of the same sessions has the same lines, also after a session was restored or changed back", async () => {
    await live();
    const first = await world.export();
    api.world.advance(5000);
    await post("/v1/sessions/cold/restore");
    await api.patch("/v1/sessions/hot", { pinned: false });
    await api.patch("/v1/sessions/hot", { pinned: true });
    const second = await world.export();
    expect(second.id).not.toBe(first.id);
    expect(second.textOf("sessions")).toBe(first.textOf("sessions"));
    expect(second.textOf("states")).not.toBe(first.textOf("states"));
  });

  it("of a user without data is a zip with usage, settings and a manifest", async () => {
    const { files, manifest } = await world.export("nobody");
    expect([...files.keys()].sort()).toEqual(["manifest.json", "settings.json", "usage.json"]);
    expect(manifest.counts).toEqual({ sessions: 0, messages: 0, memories: 0, events: 0, files: 0 });
  });

  it("runs once at a time: a second request returns the running one, also with another key or at the same time", async () => {
    await live();
    const [a, b] = await Promise.all([post("/v1/exports"), post("/v1/exports")]);
    expect(a).toEqual({ id: b.id, status: "running", created_at: expect.any(String) });
    expect((await post("/v1/exports")).id).toBe(a.id);
    expect((await api.get(`/v1/exports/${a.id}`)).body).toEqual({ ...a, expires_at: expect.any(String) });
    await world.deliver("ann");
    expect((await post("/v1/exports")).id).not.toBe(a.id);
    expect((await api.get(`/v1/exports/${a.id}`)).body.status).toBe("ready");
  });

  it("belongs to its user, and expires with its URL after seven days", async () => {
    await live();
    const { id, answer } = await world.export();
    expect(answer.expires_at).toBe(new Date(Date.parse(answer.created_at) + 7 * DAY).toISOString());
    expect((await api.get(`/v1/exports/${id}`, { user: "bob" })).status).toBe(404);
    expect((await api.get("/v1/exports/not-an-id")).status).toBe(404);
    api.world.advance(7 * DAY - 60_000);
    const url = new URL((await api.get(`/v1/exports/${id}`)).body.url);
    expect(Number(url.searchParams.get("X-Amz-Expires"))).toBeLessThanOrEqual(60);
    api.world.advance(60_000);
    expect((await api.get(`/v1/exports/${id}`)).status).toBe(404);
    expect((await post("/v1/exports")).id).not.toBe(id);
  });

  it("that still runs after a day counts as failed, and the user can begin another one", async () => {
    const { id } = await post("/v1/exports");
    api.world.advance(DAY);
    expect((await api.get(`/v1/exports/${id}`)).body.status).toBe("failed");
    expect((await post("/v1/exports")).id).not.toBe(id);
  });

  it("is correct when sessions are written, archived and deleted while it runs", async () => {
    await live();
    for (let n = 0; n < 20; n++) {
      await post("/v1/sessions", { id: `s${n}` });
      await post(`/v1/sessions/s${n}/messages`, { messages: [said("one"), said("two")] });
    }
    const { id } = await post("/v1/exports");
    let calls = 0;
    const { messages } = api.world.stores;
    const range: typeof messages.range = async (...args) => {
      const n = calls++;
      await post(`/v1/sessions/s${n % 20}/messages`, said(`late ${n}`)).catch(() => undefined);
      await api.del(`/v1/sessions/s${(n * 7) % 20}`);
      return messages.range(...args);
    };
    const stores = { ...api.world.stores, messages: { ...messages, range } };
    await world.deliver("ann", createBuildExportJob({ ...world.deps, stores }));
    const { linesOf, manifest } = await world.read(id);
    const known = new Set<string>();
    for (const line of linesOf("sessions")) {
      if (line.type === "session") known.clear();
      // A parent is always in an earlier line.
      else expect(line.parent_id === null || known.has(line.parent_id)).toBe(true);
      known.add(line.id);
    }
    expect(manifest.counts.sessions).toBeGreaterThanOrEqual(3);
    expect(manifest.counts.messages).toBe(linesOf("sessions").filter(({ type }) => type === "message").length);
  });
});

describe("the job of an export", () => {
  it("is started by each write of the item that names the user's latest export, and by no other record", () => {
    const [filter, none] = functions["jobs-build-export"].trigger.filters.map(compileFilter);
    const starts = (eventName: string, sk: string) => filter?.({ eventName, dynamodb: { Keys: { sk: { S: sk } } } });
    expect(none).toBeUndefined();
    expect([starts("INSERT", "X"), starts("MODIFY", "X")]).toEqual([true, true]);
    expect([starts("REMOVE", "X"), starts("INSERT", "X#1"), starts("MODIFY", "Z")]).toEqual([false, false, false]);
  });

  it("gives the same export when every run ends after one step", async () => {
    await live();
    const whole = await world.export();
    const stepwise = await world.export("ann", 0);
    expect(stepwise.runs).toBeGreaterThan(8);
    for (const series of ["sessions", "files", "memories", "events", "states"] as const) {
      expect(stepwise.textOf(series)).toBe(whole.textOf(series));
    }
    expect(stepwise.manifest.counts).toEqual(whole.manifest.counts);
    expect([await uploads(), (await objects()).filter((key) => key.endsWith(".json"))]).toEqual([[], []]);
  });

  it.each(["before", "after"] as const)(
    "gives the same export after a crash %s any of its calls",
    { timeout: 120_000 },
    async (kind) => {
      await live();
      const whole = await world.export();
      for (let n = 0, crashed = true; crashed; n++) {
        const { id } = await post("/v1/exports");
        crashed = await api.world.crashing(n, kind, async () => void (await world.deliver("ann").catch(asCrash)));
        while (await world.deliver("ann"));
        const { textOf, manifest } = await world.read(id);
        expect([n, textOf("sessions"), manifest.counts]).toEqual([n, whole.textOf("sessions"), whole.manifest.counts]);
        // An upload that no progress names is deleted by a rule of the bucket.
        expect((await uploads()).length).toBeLessThanOrEqual(1);
        for (const { Key, UploadId } of await uploads()) await world.deps.objects.abortUpload(placeOf(Key!), UploadId!);
        expect((await objects()).filter((key) => key.endsWith(".json"))).toEqual([]);
      }
    },
  );

  it("changes nothing when its record is delivered again at the end, or to two functions at once", async () => {
    await live();
    const { id } = await post("/v1/exports");
    await Promise.all(
      [world.deliver("ann"), world.deliver("ann"), world.deliver("ann")].map((run) => run.catch(() => false)),
    );
    while (await world.deliver("ann"));
    const first = await world.read(id);
    expect(first.manifest.counts.sessions).toBe(3);
    expect([await uploads(), await objects()]).toEqual([[], [`exports/ann/${id}.zip`]]);
  });

  it("stops when another run takes over at any of its calls, and the export is complete", {
    timeout: 120_000,
  }, async () => {
    await live();
    const whole = await world.export();
    for (let n = 0, reached = true; reached; n++) {
      const { id } = await post("/v1/exports");
      reached = false;
      let calls = 0;
      const objects = Object.fromEntries(
        Object.entries(world.deps.objects).map(([name, call]) => [
          name,
          async (...args: unknown[]) => {
            if (calls++ === n) {
              reached = true;
              await world.deliver("ann").catch(() => false);
            }
            return (call as (...args: unknown[]) => unknown)(...args);
          },
        ]),
      ) as unknown as ExportObjects;
      await world.deliver("ann", createBuildExportJob({ ...world.deps, objects })).catch(() => false);
      while (await world.deliver("ann"));
      expect((await world.read(id)).textOf("sessions")).toBe(whole.textOf("sessions"));
    }
  });

  it("fails the export after five runs that failed, and leaves nothing of it", async () => {
    await live();
    const { id } = await post("/v1/exports");
    const events = {
      // biome-ignore lint/correctness/useYield: it fails at once.
      async *ofUser() {
        throw new Error("never");
      },
    };
    const broken = createBuildExportJob({ ...world.deps, events });
    for (let run = 1; run <= 5; run++) {
      expect((await api.get(`/v1/exports/${id}`)).body.status).toBe("running");
      await expect(world.deliver("ann", broken)).rejects.toThrow("the job failed");
    }
    const { body } = await api.get(`/v1/exports/${id}`);
    expect(body).toEqual({ id, status: "failed", created_at: body.created_at, expires_at: body.expires_at });
    expect(await world.deliver("ann")).toBe(false);
    expect([await uploads(), await objects()]).toEqual([[], []]);
    expect((await post("/v1/exports")).id).not.toBe(id);
  });

  it("leaves nothing of an export that is erased while it runs", async () => {
    await live();
    const { id } = await post("/v1/exports");
    const erased: ExportObjects = {
      ...world.deps.objects,
      async completeUpload(...args) {
        await api.world.exportTable.batchWrite([], [exportKey("ann", id), latestExportKey("ann")]);
        return world.deps.objects.completeUpload(...args);
      },
    };
    await world.deliver("ann", createBuildExportJob({ ...world.deps, objects: erased }));
    expect((await api.get(`/v1/exports/${id}`)).status).toBe(404);
    expect([await uploads(), await objects()]).toEqual([[], []]);
  });

  it("stores the progress with a condition, so that a stale run cannot replace it", async () => {
    const place = { user_id: "ann", id: "e" };
    const { objects } = world.deps;
    const first = await objects.writeProgress(place, { run: "1" } as never, null);
    expect(await objects.writeProgress(place, { run: "2" } as never, null)).toBeNull();
    const second = await objects.writeProgress(place, { run: "3" } as never, first);
    expect(await objects.writeProgress(place, { run: "4" } as never, first)).toBeNull();
    expect(await objects.readProgress(place)).toEqual({ progress: { run: "3" }, etag: second });
    await objects.removeProgress(place);
    expect(await objects.writeProgress(place, { run: "5" } as never, second)).toBeNull();
    await expect(
      api.engines.s3.send(new GetObjectCommand({ Bucket: api.engines.bucket, Key: "exports/ann/e.progress.json" })),
    ).rejects.toThrow();
  });
});

const asCrash = () => undefined;
const placeOf = (key: string) => ({ user_id: "ann", id: key.split("/")[2]!.replace(".zip", "") });
