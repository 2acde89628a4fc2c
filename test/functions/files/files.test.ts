import { createHash } from "node:crypto";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { DeleteCommand } from "@aws-sdk/lib-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { functions } from "../../../infra/functions.ts";
import { compileFilter } from "../../../infra/local/events/filter-pattern.ts";
import { fileKey } from "../../../shared/dynamodb/keys.ts";
import { deleteFile } from "../../../shared/files/manage-files.ts";
import { type Api, startApi } from "../../support/start-api.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const DAY = 86_400_000;
const TEXT = "hello world";
const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
const input = (more: object = {}) => ({ filename: "a.txt", media_type: "text/plain", bytes: TEXT.length, ...more });

const create = async (more?: object, user = "ann") => (await api.post("/v1/files", input(more), { user })).body;
const send = ({ upload }: { upload: { url: string; headers: Record<string, string> } }, body = TEXT, headers = {}) =>
  fetch(upload.url, { method: "PUT", headers: { ...upload.headers, ...headers }, body });
const ready = async (more?: object, user?: string): Promise<string> => {
  const file = await create(more, user);
  expect((await send(file)).status).toBe(200);
  return file.id;
};
const keyOf = (id: string, user = "ann") => `files/${user}/${id}`;
const isStored = (id: string) =>
  api.engines.s3.send(new HeadObjectCommand({ Bucket: api.engines.bucket, Key: keyOf(id) })).then(
    () => true,
    () => false,
  );

describe("a new file", () => {
  it("is uploading until its content is stored, and then is ready and has a download URL", async () => {
    const file = await create({ sha256: hashOf(TEXT) });
    const before = (await api.get(`/v1/files/${file.id}`)).body;
    expect(before).toEqual({
      id: file.id,
      filename: "a.txt",
      media_type: "text/plain",
      bytes: TEXT.length,
      status: "uploading",
      created_at: expect.any(String),
      url: null,
      url_expires_at: null,
    });
    expect((await send(file)).status).toBe(200);

    const after = (await api.get(`/v1/files/${file.id}`)).body;
    expect(after).toEqual({ ...before, status: "ready", url: expect.any(String), url_expires_at: expect.any(String) });
    expect(Date.parse(after.url_expires_at) - api.world.stores.clock()).toBe(3_600_000);
    const content = await fetch(after.url);
    expect(await content.text()).toBe(TEXT);
    expect(content.headers.get("content-type")).toBe("text/plain");
    expect(content.headers.get("content-disposition")).toBe(`attachment; filename="a.txt"; filename*=UTF-8''a.txt`);
  });

  it("is the same for a repeated Idempotency-Key, and 404 once it was deleted", async () => {
    const options = { headers: { "Idempotency-Key": "file" } };
    const first = await api.post("/v1/files", input(), options);
    const again = await api.post("/v1/files", input(), options);
    expect(again.body).toEqual({ id: first.body.id, upload: { ...first.body.upload, url: expect.any(String) } });
    expect((await send(again.body)).status).toBe(200);
    await api.del(`/v1/files/${first.body.id}`);
    expect((await api.post("/v1/files", input(), options)).status).toBe(404);
  });

  it.each([
    ["bytes", { bytes: 25 * 1024 * 1024 + 1 }],
    ["bytes", { bytes: 0 }],
    ["bytes", { bytes: 1.5 }],
    ["filename", { filename: "" }],
    ["filename", { filename: "a\r\nset-cookie: x" }],
    ["filename", { filename: "gpj.\u202eexe" }],
    ["filename", { filename: "x".repeat(256) }],
    ["media_type", { media_type: "image/png\r\nx: y" }],
    ["media_type", { media_type: "image" }],
    ["sha256", { sha256: "abc" }],
    ["sha512", { sha512: "abc" }],
  ])("is refused with 400 that names %s for %j", async (path, more) => {
    const { status, body } = await api.post("/v1/files", input(more));
    expect([status, body.errors[0].path]).toEqual([400, path]);
  });

  describe("with an id", () => {
    const id = "01890a5d-ac96-774b-bcce-b302099a8057";
    const again = (more: object = {}) => api.post("/v1/files", input({ id, sha256: hashOf(TEXT), ...more }));
    const created_at = "2023-06-30T03:34:18.518Z";

    it("has the id and its time, an upload URL for an hour, and is the same for a repeat", async () => {
      const { status, body } = await again();
      expect([status, body.id]).toEqual([201, id]);
      const left = Date.parse(body.upload.expires_at) - api.world.stores.clock();
      expect(left).toBeGreaterThan(3_598_000);
      expect((await again()).body.id).toBe(id);
      expect((await send(body)).status).toBe(200);
      expect((await api.get(`/v1/files/${id}`)).body).toMatchObject({ id, status: "ready", created_at });
      expect((await again({ filename: "b.txt" })).status).toBe(409);
      expect((await again({ sha256: hashOf("x") })).status).toBe(409);
    });

    it("can be stored again after it was deleted, and keeps its content when DynamoDB reports the old deletion", async () => {
      await api.del(`/v1/files/${id}`);
      expect(await isStored(id)).toBe(false);
      const { body } = await again({ filename: "b.txt" });
      expect((await send(body)).status).toBe(200);
      const record = {
        eventName: "REMOVE",
        userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
        dynamodb: { Keys: marshall(fileKey("ann", id)), SequenceNumber: "1" },
      } as unknown as DynamoDBRecord;
      expect(await api.world.archiveJob({ Records: [record] })).toEqual({ batchItemFailures: [] });
      expect(await isStored(id)).toBe(true);
    });

    it.each([
      ["sha256", { sha256: undefined }],
      ["id", { id: "01890a5d-ac96-474b-bcce-b302099a8057" }],
      ["id", { id: "f1890a5d-ac96-774b-bcce-b302099a8057" }],
    ])("is refused with 400 that names %s for %j", async (path, more) => {
      const { status, body } = await again(more);
      expect([status, body.errors[0].path]).toEqual([400, path]);
    });
  });

  it("of 25 MB is accepted", async () => {
    expect((await api.post("/v1/files", input({ bytes: 25 * 1024 * 1024 }))).status).toBe(201);
  });
});

describe("an upload", () => {
  it("of another size, of another type or without a required header is refused", async () => {
    const file = await create();
    expect((await send(file, "short")).status).toBe(403);
    expect((await send(file, TEXT, { "content-type": "text/html" })).status).toBe(403);
    const { "if-none-match": _once, ...others } = file.upload.headers;
    expect((await fetch(file.upload.url, { method: "PUT", headers: others, body: TEXT })).status).toBe(403);
    expect((await api.get(`/v1/files/${file.id}`)).body.status).toBe("uploading");
  });

  it("of content with another checksum is refused", async () => {
    const file = await create({ sha256: hashOf(TEXT) });
    expect((await send(file, "hello_world")).status).toBe(400);
    const { "x-amz-checksum-sha256": _checksum, ...others } = file.upload.headers;
    expect((await fetch(file.upload.url, { method: "PUT", headers: others, body: TEXT })).status).toBe(403);
    expect((await api.get(`/v1/files/${file.id}`)).body.status).toBe("uploading");
    expect((await send(file)).status).toBe(200);
  });

  it("cannot replace stored content", async () => {
    const file = await create();
    expect((await send(file)).status).toBe(200);
    expect((await send(file, "HELLO WORLD")).status).toBe(412);
    const { url } = (await api.get(`/v1/files/${file.id}`)).body;
    expect(await (await fetch(url)).text()).toBe(TEXT);
  });
});

describe("a file with a hostile name or type", () => {
  it.each([
    [
      `"quoted"; x=\\..%22.txt`,
      `attachment; filename="_quoted_; x=_.._22.txt"; filename*=UTF-8''%22quoted%22%3B%20x%3D_..%2522.txt`,
    ],
    ["../../etc/passwd", `attachment; filename=".._.._etc_passwd"; filename*=UTF-8''.._.._etc_passwd`],
    ["日記 (1)*'.txt", `attachment; filename="__ (1)*'.txt"; filename*=UTF-8''%E6%97%A5%E8%A8%98%20%281%29%2A%27.txt`],
  ])("named %s is served with a name that every browser reads as one name", async (filename, disposition) => {
    const id = await ready({ filename });
    const { url, filename: shown } = (await api.get(`/v1/files/${id}`)).body;
    expect(shown).toBe(filename);
    expect((await fetch(url)).headers.get("content-disposition")).toBe(disposition);
  });

  it("with the longest name is served", async () => {
    const id = await ready({ filename: "\u{1f4a9}".repeat(127) });
    const { url } = (await api.get(`/v1/files/${id}`)).body;
    expect((await fetch(url)).status).toBe(200);
  });

  it.each([
    ["text/html", "application/octet-stream"],
    ["image/svg+xml", "application/octet-stream"],
    ["application/xhtml+xml", "application/octet-stream"],
    ["TEXT/HTML; charset=utf-8", "application/octet-stream"],
    ["image/png", "image/png"],
  ])("of type %s is served as %s", async (media_type, served) => {
    const id = await ready({ media_type });
    const { url } = (await api.get(`/v1/files/${id}`)).body;
    expect((await fetch(url)).headers.get("content-type")).toBe(served);
  });
});

describe("files", () => {
  it("are listed newest first, each once, and only those of their user", async () => {
    const user = "lister";
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      api.world.advance(1000);
      ids.unshift(n % 2 === 0 ? await ready({}, user) : (await create({}, user)).id);
    }
    await ready({}, "other");
    const seen: { id: string; status: string }[] = [];
    let cursor: string | null = "";
    do {
      const { body } = await api.get(`/v1/files?limit=2${cursor && `&cursor=${cursor}`}`, { user });
      expect(body.data.length).toBeLessThanOrEqual(2);
      seen.push(...body.data);
      cursor = body.next_cursor;
    } while (cursor);
    expect(seen.map(({ id }) => id)).toEqual(ids);
    expect(seen.map(({ status }) => status)).toEqual(["ready", "uploading", "ready", "uploading", "ready"]);
  });

  it("of another user do not exist", async () => {
    const id = await ready();
    const options = { user: "bob" };
    expect((await api.get(`/v1/files/${id}`, options)).status).toBe(404);
    expect((await api.del(`/v1/files/${id}`, options)).status).toBe(404);
    expect((await api.get(`/v1/files/${id}`)).status).toBe(200);
  });

  it("that are deleted disappear at once, with their content, and cannot be deleted again", async () => {
    const id = await ready();
    expect((await api.del(`/v1/files/${id}`)).status).toBe(204);
    expect((await api.get(`/v1/files/${id}`)).status).toBe(404);
    expect((await api.del(`/v1/files/${id}`)).status).toBe(404);
    expect((await api.get("/v1/files?limit=100")).body.data.map((file: { id: string }) => file.id)).not.toContain(id);
    expect(await isStored(id)).toBe(false);
  });

  it("that no message names are deleted after a day", async () => {
    const user = "forgetful";
    const id = await ready({}, user);
    api.world.advance(DAY - 1000);
    expect((await api.get(`/v1/files/${id}`, { user })).status).toBe(200);
    api.world.advance(1000);
    expect((await api.get(`/v1/files/${id}`, { user })).status).toBe(404);
    expect((await api.get("/v1/files", { user })).body.data).toEqual([]);
    expect((await api.del(`/v1/files/${id}`, { user })).status).toBe(404);
  });
});

describe("the content of a file that TTL deletes", () => {
  /** Deletes the item of an expired file as TTL does, and runs the job with its record. */
  const expire = async (id: string) => {
    const { Attributes } = await api.engines.dynamodb.send(
      new DeleteCommand({
        TableName: api.engines.tableName,
        Key: fileKey("ann", id),
        ConditionExpression: "expires_at <= :now",
        ExpressionAttributeValues: { ":now": Math.floor(api.world.stores.clock() / 1000) },
        ReturnValues: "ALL_OLD",
      }),
    );
    const record = {
      eventName: "REMOVE",
      userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" },
      dynamodb: { Keys: marshall(fileKey("ann", id)), OldImage: marshall(Attributes), SequenceNumber: "1" },
    } as unknown as DynamoDBRecord;
    const filters = functions["jobs-archive"].trigger.filters.map(compileFilter);
    expect(filters.filter((matches) => matches(record))).toHaveLength(1);
    return () => api.world.archiveJob({ Records: [record] });
  };

  it("is deleted, and a repeated record changes nothing", async () => {
    const id = await ready();
    const unfinished = (await create()).id;
    api.world.advance(DAY);
    for (const each of [id, unfinished]) {
      const job = await expire(each);
      expect(await job()).toEqual({ batchItemFailures: [] });
      expect(await job()).toEqual({ batchItemFailures: [] });
      expect(await isStored(each)).toBe(false);
    }
  });

  it("is deleted also when the upload arrived after the file was deleted", async () => {
    const file = await create();
    await api.del(`/v1/files/${file.id}`);
    expect((await send(file)).status).toBe(200);
    expect((await api.get(`/v1/files/${file.id}`)).status).toBe(404);
    api.world.advance(DAY);
    await (await expire(file.id))();
    expect(await isStored(file.id)).toBe(false);
  });

  it.each(["before", "after"] as const)("is deleted also when the DELETE crashes %s any of its calls", async (kind) => {
    for (let n = 0, crashed = true; crashed; n++) {
      const id = await ready();
      crashed = await api.world.crashing(n, kind, () => deleteFile(files(), "ann", id));
      api.world.advance(DAY);
      await (await expire(id))();
      expect([n, await isStored(id)]).toEqual([n, false]);
    }
  });

  it("is tried again when S3 fails", async () => {
    const id = await ready();
    api.world.advance(DAY);
    const job = await expire(id);
    let answer: unknown;
    await api.world.crashing(0, "before", async () => {
      answer = await job();
    });
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: "1" }] });
    await job();
    expect(await isStored(id)).toBe(false);
  });

  const files = () => ({ ...api.world.stores, files: api.world.files, objects: api.world.fileObjects });
});
