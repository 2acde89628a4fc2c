import { randomUUID } from "node:crypto";
import { HeadObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteSession } from "../../../shared/session/delete-session.ts";
import { reconcile } from "../../../shared/session/reconcile.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Api, startApi } from "../../support/start-api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const DAY = 86_400_000;
let count = 0;

async function session(ttl_seconds = 10 * 86_400): Promise<string> {
  const id = `s${count++}`;
  await api.post("/v1/sessions", { id, ttl_seconds });
  return id;
}

/** An uploaded file. */
async function file(user = "ann", isUploaded = true): Promise<string> {
  const input = { filename: "a.png", media_type: "image/png", bytes: 3 };
  const { id, upload } = (await api.post("/v1/files", input, { user })).body;
  if (isUploaded) await fetch(upload.url, { method: "PUT", headers: upload.headers, body: "png" });
  return id;
}

const part = (file_id: string) => ({ type: "file", file_id });
const text = { type: "text", text: "look" };
const say = (id: string, ...parts: object[]) =>
  api.post(`/v1/sessions/${id}/messages`, { role: "user", parts: [text, ...parts] });
const isThere = async (id: string) => (await api.get(`/v1/files/${id}`)).status === 200;
const isStored = (id: string) =>
  api.engines.s3.send(new HeadObjectCommand({ Bucket: api.engines.bucket, Key: `files/ann/${id}` })).then(
    () => true,
    () => false,
  );
const messagesOf = async (id: string) => (await api.get(`/v1/sessions/${id}/messages`)).body.data;
const uses = async (id: string) => {
  const found = [];
  for await (const page of api.world.files.uses({ user: "ann", id })) found.push(...page);
  return found;
};

describe("a message that names a file", () => {
  it("is stored with the file's own type and name, and keeps the file", async () => {
    const [id, image] = [await session(), await file()];
    const claimed = { ...part(image), media_type: "text/html", filename: "evil\r\n.html" };
    const { status, body } = await say(id, claimed);
    const stored = { type: "file", file_id: image, media_type: "image/png", filename: "a.png" };
    expect([status, body.data[0].parts]).toEqual([201, [text, stored]]);
    expect(await messagesOf(id)).toEqual(body.data);
    api.world.advance(DAY);
    expect(await isThere(image)).toBe(true);
  });

  it("is stored together with the use of the file, also when it is sent again", async () => {
    const [id, image] = [await session(), await file()];
    const message = { id: "m", role: "user", parts: [part(image), part(image)] };
    for (let n = 0; n < 2; n++) {
      expect((await api.post(`/v1/sessions/${id}/messages`, message)).status).toBe(201);
      expect(await uses(id)).toEqual([{ file: image, message: "m", generation: expect.any(Number) }]);
    }
    expect(await messagesOf(id)).toHaveLength(1);
  });

  it.each([
    ["does not exist", async () => randomUUID(), "is not the id of a file of this user"],
    ["is no id", async () => "../../bob/x", "is not the id of a file of this user"],
    ["belongs to another user", () => file("bob"), "is not the id of a file of this user"],
    ["is not uploaded", () => file("ann", false), "is the id of a file whose content is not uploaded yet"],
    ["is used by another session", usedElsewhere, "is the id of a file of another session"],
    ["has been deleted", deleted, "is not the id of a file of this user"],
    ["has expired", expired, "is not the id of a file of this user"],
  ])("that %s is refused with the path of the part, and nothing is stored", async (_, make, message) => {
    const [bad, id, good] = [await make(), await session(), await file()];
    const single = await say(id, part(bad), part(good));
    expect([single.status, single.body.errors]).toEqual([400, [{ path: "parts.1.file_id", message }]]);
    const inputs = {
      messages: [
        { role: "user", content: "x" },
        { role: "user", parts: [part(good), part(bad)] },
      ],
    };
    const batch = await api.post(`/v1/sessions/${id}/messages`, inputs);
    expect([batch.status, batch.body.errors]).toEqual([400, [{ path: "messages.1.parts.1.file_id", message }]]);
    expect([await messagesOf(id), await uses(id)]).toEqual([[], []]);
  });

  it.each([
    [[part("x"), part("x")].map((each) => ({ ...each, data: "data:,x" })), "parts.1.file_id"],
    [[{ type: "file" }], "parts.1.file_id"],
    [[{ type: "file", data: "https://example.com" }], "parts.1.data"],
    [[{ type: "file", data: "data:image/png;base64,???" }], "parts.1.data"],
    [[{ type: "file", data: "data:image/png%0d%0a;base64,aGk=" }], "parts.1.data"],
    [[{ type: "file", data: `data:,${"x".repeat(3 * 1024 * 1024)}` }], "parts.1.data"],
    [[{ type: "file", data: "data:,x", filename: "a\u0000b" }], "parts.1.filename"],
    [Array.from({ length: 21 }, () => ({ type: "file", data: "data:,x" })), "parts"],
  ])("is refused when the part is wrong: %#", async (parts, path) => {
    const { status, body } = await say(await session(), ...parts);
    expect([status, body.errors[0].path]).toEqual([400, path]);
  });

  it("of two sessions at the same time is stored in one of them", async () => {
    const [a, b, image] = [await session(), await session(), await file()];
    const answers = await Promise.all([say(a, part(image)), say(b, part(image))]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400]);
    const winner = answers[0]?.status === 201 ? a : b;
    await api.del(`/v1/sessions/${winner === a ? b : a}`);
    expect(await isThere(image)).toBe(true);
    await api.del(`/v1/sessions/${winner}`);
    expect(await isThere(image)).toBe(false);
  });

  it("of the same session at the same time is stored by both", async () => {
    const [id, image] = [await session(), await file()];
    const answers = await Promise.all(Array.from({ length: 4 }, () => say(id, part(image))));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(await uses(id)).toHaveLength(4);
  });

  it("is stored in several transactions when one cannot hold all files", async () => {
    const [id, image] = [await session(), await file()];
    const messages = Array.from({ length: 30 }, () => ({ role: "user", parts: [part(image), part(image), text] }));
    expect((await api.post(`/v1/sessions/${id}/messages`, { messages })).status).toBe(201);
    expect(await uses(id)).toHaveLength(30);
  });

  async function usedElsewhere() {
    const image = await file();
    await say(await session(), part(image));
    return image;
  }
  async function deleted() {
    const image = await file();
    await api.del(`/v1/files/${image}`);
    return image;
  }
  async function expired() {
    const image = await file();
    api.world.advance(DAY);
    return image;
  }
});

describe("a data: URL in a message", () => {
  it("becomes a file of the session", async () => {
    const id = await session();
    const { body } = await say(id, { type: "file", data: "data:image/png;base64,aGk=", filename: "hi.png" });
    const [, stored] = body.data[0].parts;
    expect(stored).toEqual({ type: "file", file_id: expect.any(String), media_type: "image/png", filename: "hi.png" });
    const { url, bytes, status } = (await api.get(`/v1/files/${stored.file_id}`)).body;
    expect([bytes, status, await (await fetch(url)).text()]).toEqual([2, "ready", "hi"]);
    await api.del(`/v1/sessions/${id}`);
    expect(await isStored(stored.file_id)).toBe(false);
  });

  it.each(["before", "after"] as const)(
    "is stored once when the request is repeated after a crash %s any call",
    async (kind) => {
      const id = await session();
      for (let n = 0, crashed = true; crashed; n++) {
        const request = { seed: `data ${kind} ${n}`, at: api.world.stores.clock() };
        const input = { role: "user" as const, parts: [{ type: "file" as const, data: "data:text/plain,x" }] };
        const append = () => appendMessages(api.world.stores, { user: "ann", id }, input, request);
        crashed = await api.world.crashing(n, kind, append);
        const [first] = await append();
        const [again] = await append();
        expect([n, again?.parts]).toEqual([n, first?.parts]);
        expect((await uses(id)).filter(({ message }) => message === first?.id)).toHaveLength(1);
      }
      const messages = await messagesOf(id);
      const ids = new Set(messages.map(({ parts }: { parts: { file_id: string }[] }) => parts[0]?.file_id));
      expect(ids.size).toBe(messages.length);
      const prefix = { Bucket: api.engines.bucket, Prefix: "files/ann/" };
      const { Contents = [] } = await api.engines.s3.send(new ListObjectsV2Command(prefix));
      const stored = Contents.map(({ Key = "" }) => Key.split("/").at(-1));
      expect([...ids].filter((file) => !stored.includes(String(file)))).toEqual([]);
    },
  );
});

describe("the files of a session", () => {
  /** A session with a file, and one more that a message names alone. */
  async function withFiles() {
    const [id, image] = [await session(600), await file()];
    await say(id, part(image));
    return { session: { user: "ann", id }, id, image };
  }

  it("stay when the session is archived and restored, and are deleted with the archive", async () => {
    const { session, id, image } = await withFiles();
    api.world.advance(601_000);
    await api.world.archiveJob({ Records: [(await api.world.sweep("ann", id))!] });
    expect((await api.get(`/v1/sessions/${id}`)).body.status).toBe("archived");
    expect(await isThere(image)).toBe(true);
    await restoreSession(api.world.stores, session);
    expect(await isThere(image)).toBe(true);
    expect((await messagesOf(id))[0].parts[1].file_id).toBe(image);
    await say(id, part(image));

    api.world.advance(601_000);
    await api.world.archiveJob({ Records: [(await api.world.sweep("ann", id))!] });
    api.world.advance(369 * DAY);
    await reconcile(api.world.stores, Number.POSITIVE_INFINITY, () => undefined);
    expect([await isThere(image), await isStored(image), await uses(id)]).toEqual([false, false, []]);
  });

  const ends = {
    "is deleted": (session: { user: string; id: string }) => deleteSession(api.world.stores, session),
    "is reset": (session: { user: string; id: string }) => resetSession(api.world.stores, session, { seed: "reset" }),
  };

  const crashes = Object.entries(ends).flatMap(([name, end]) =>
    (["before", "after"] as const).map((kind) => [name, kind, end] as const),
  );

  it.each(crashes)(
    "disappear at once when the session %s, also after a crash %s any call",
    {
      timeout: 120_000,
    },
    async (_, kind, end) => {
      for (let n = 0, crashed = true; crashed; n++) {
        const { session, id, image } = await withFiles();
        crashed = await api.world.crashing(n, kind, () => end(session));
        const isEnded = !(await api.get(`/v1/sessions/${id}`)).body.message_count;
        // From the write on that ends the session, no request can read the file or name it again.
        expect([n, await isThere(image)]).toEqual([n, !isEnded]);
        if (isEnded) expect((await say(await again(id), part(image))).status).toBe(400);
        for (let run = 0; run < 2; run++) {
          api.world.advance(3_700_000);
          await reconcile(api.world.stores, Number.POSITIVE_INFINITY, () => undefined);
        }
        expect([n, await isStored(image)]).toEqual([n, !isEnded]);
        if (isEnded) expect((await uses(id)).filter(({ file }) => file === image)).toEqual([]);
        await api.world.drop("ann", id);
      }
    },
  );

  it("are not those of a later session with the same id", async () => {
    const { id, session } = await withFiles();
    await deleteSession(api.world.stores, session);
    await again(id);
    const later = await file();
    await say(id, part(later));
    api.world.advance(3_700_000);
    await reconcile(api.world.stores, Number.POSITIVE_INFINITY, () => undefined);
    expect([await isThere(later), await isStored(later)]).toEqual([true, true]);
  });

  it("are deleted with the last message that names them, and a repeat changes nothing", async () => {
    const { id, session, image } = await withFiles();
    const [first] = await messagesOf(id);
    const { id: second } = (await say(id, part(image))).body.data[0];
    await api.world.stores.files.release(session, [first.id]);
    expect([await isThere(image), (await uses(id)).map(({ message }) => message)]).toEqual([true, [second]]);
    for (let n = 0; n < 2; n++) await api.world.stores.files.release(session, [first.id, second]);
    expect([await isThere(image), await isStored(image), await uses(id)]).toEqual([false, false, []]);
  });

  /** Creates the session unless it is there. */
  async function again(id: string): Promise<string> {
    await api.post("/v1/sessions", { id, ttl_seconds: 10 * 86_400 });
    return id;
  }
});
