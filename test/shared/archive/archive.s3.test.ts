import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startS3 } from "../../../infra/local/s3/s3-server.ts";
import { createArchive, formerKeyOf, keyOf } from "../../../shared/archive/archive.s3.ts";
import { createObjects } from "../../../shared/archive/objects.s3.ts";
import { AppError } from "../../../shared/errors.ts";
import { type ArchivedHeader, readArchive } from "../../../shared/session/archive.ts";
import type { MessageRecord } from "../../../shared/session/message.ts";
import type { ArchiveRef } from "../../../shared/session/session.ts";
import { LINEAR } from "../../../shared/session/tree.ts";

const credentials = { accessKeyId: "test", secretAccessKey: "secret" };
const Bucket = "archive";
const directory = mkdtempSync(path.join(tmpdir(), "memocha-archive-"));
let s3: S3Client;
let close: () => Promise<void>;
let archive: ReturnType<typeof createArchive>;
/** The commands that were sent, with their keys. */
const sent: string[] = [];
let names = 0;

beforeAll(async () => {
  const server = await startS3({ directory, ...credentials, log: () => undefined });
  s3 = new S3Client({ endpoint: server.url, region: "us-east-1", credentials, forcePathStyle: true });
  close = async () => {
    s3.destroy();
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  };
  await s3.send(new CreateBucketCommand({ Bucket }));
  s3.middlewareStack.add(
    (next, context) => (args) => {
      sent.push(`${context.commandName?.replace("Command", "")} ${(args.input as { Key?: string }).Key ?? ""}`);
      return next(args);
    },
    { step: "initialize" },
  );
  archive = createArchive(async () => createObjects(s3, Bucket));
});
afterAll(() => close());

const headerOf = (user_id: string, live_generation = 1): ArchivedHeader => ({
  user_id,
  id: `session-${names}`,
  title: null,
  metadata: {},
  created_at: "2026-11-21T12:00:00.000Z",
  ttl_seconds: 60,
  pinned: false,
  live_generation,
  tree: LINEAR,
  seed: "a seed",
});

const message = (content: string): MessageRecord => ({
  id: `id of ${content}`,
  role: "user",
  content,
  created_at: "2026-11-21T12:00:00.000Z",
});

async function write(header: ArchivedHeader, ...contents: string[]) {
  const written = await archive.write(header, async function* () {
    yield contents.map(message);
  });
  if (!written) throw new Error("a newer generation is there");
  return written;
}

async function read(ref: ArchiveRef): Promise<string[]> {
  const contents: string[] = [];
  for await (const chunk of readArchive(archive, ref)) contents.push(...chunk.map(({ content }) => content));
  return contents;
}

async function keys(header: ArchivedHeader): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "archive/" }));
  return Contents.map(({ Key = "" }) => Key).filter((key) => key.endsWith(`/${header.id}.jsonl.gz`));
}

/** Copies the object to the key that earlier versions used, as if it had this generation. */
async function copyToFormerKey(header: ArchivedHeader): Promise<string> {
  const Key = formerKeyOf(header) ?? "";
  const { Body: stored } = await s3.send(new GetObjectCommand({ Bucket, Key: keyOf(header) }));
  const Body = await stored!.transformToByteArray();
  const Metadata = { generation: String(header.live_generation) };
  await s3.send(new PutObjectCommand({ Bucket, Key, Body, Metadata }));
  return Key;
}

/** Archives a session as an earlier version did. */
async function writeFormerly(header: ArchivedHeader, ...contents: string[]): Promise<ArchiveRef> {
  const { ref } = await write(header, ...contents);
  const key = await copyToFormerKey(header);
  await s3.send(new DeleteObjectCommand({ Bucket, Key: ref.key }));
  return { ...ref, key };
}

/** Archives a session, with a crash before the object of an earlier version is deleted. Gives the ETag. */
async function writeBeside(header: ArchivedHeader, ...contents: string[]): Promise<string> {
  const objects = createObjects(s3, Bucket);
  const crashing = createArchive(async () => ({ ...objects, remove: () => Promise.reject(new Error("crash")) }));
  await expect(
    crashing.write(header, async function* () {
      yield contents.map(message);
    }),
  ).rejects.toThrow("does not answer");
  return (await objects.head(keyOf(header))).ETag ?? "";
}

/** The commands that `work` sends. */
async function sentBy(work: () => Promise<unknown>): Promise<string[]> {
  sent.length = 0;
  await work();
  return [...sent];
}

describe("an archive object", () => {
  it("is written once for each generation, and read back", async () => {
    names++;
    const header = headerOf("ann");
    const first = await write(header, "one", "two");
    expect(await write(header, "one", "two")).toEqual(first);
    expect(await read(first.ref)).toEqual(["one", "two"]);
    expect(first).toMatchObject({ messageCount: 2, last: "2026-11-21T12:00:00.000Z" });
    expect(await keys(header)).toEqual([keyOf(header)]);
  });

  it("of an older generation is replaced", async () => {
    names++;
    const old = await write(headerOf("ann", 1), "said before the restore");
    const header = headerOf("ann", 2);
    const { ref } = await write(header, "said before the restore", "said after it");
    expect(ref.etag).not.toBe(old.ref.etag);
    expect(await read(ref)).toEqual(["said before the restore", "said after it"]);
    await expect(read(old.ref)).rejects.toMatchObject({ code: "not_found" });
  });

  it("of a newer generation is kept", async () => {
    names++;
    const { ref } = await write(headerOf("ann", 2), "said since");
    await expect(write(headerOf("ann", 1), "said before")).rejects.toThrow("a newer generation is there");
    expect(await read(ref)).toEqual(["said since"]);
  });

  it("is not deleted with the ETag of an object that it has replaced", async () => {
    names++;
    const old = await write(headerOf("ann", 1), "one");
    const header = headerOf("ann", 2);
    const { ref } = await write(header, "two");
    await archive.remove(header, old.ref.etag);
    expect(await read(ref)).toEqual(["two"]);
    await archive.remove(header, ref.etag);
    await archive.remove(header, ref.etag);
    expect(await archive.find(header)).toEqual([]);
  });

  it("takes one request to find and one to delete", async () => {
    names++;
    const header = headerOf("ann");
    const { ref } = await write(header, "one");
    expect(await sentBy(() => archive.find(header))).toEqual([`HeadObject ${keyOf(header)}`]);
    expect(await sentBy(() => archive.remove(header, ref.etag))).toEqual([`DeleteObject ${keyOf(header)}`]);
    expect(await sentBy(() => write(header, "one"))).toEqual([`PutObject ${keyOf(header)}`]);
  });
});

describe.each(["_ann", ".ann"])("an archive object of the user %s that an earlier version has written", (user) => {
  it("is read, found and deleted", async () => {
    names++;
    const header = headerOf(user);
    const ref = await writeFormerly(header, "one", "two");
    expect(await keys(header)).toEqual([formerKeyOf(header)]);
    expect(await read(ref)).toEqual(["one", "two"]);
    expect((await archive.find(header)).map(({ etag }) => etag)).toEqual([ref.etag]);
    await archive.remove(header, ref.etag);
    expect(await keys(header)).toEqual([]);
    expect(await archive.find(header)).toEqual([]);
  });

  it("is moved to the new key when the session is archived again", async () => {
    names++;
    await writeFormerly(headerOf(user, 1), "one");
    const header = headerOf(user, 2);
    const { ref } = await write(header, "one", "two");
    expect(await keys(header)).toEqual([keyOf(header)]);
    expect(await read(ref)).toEqual(["one", "two"]);
  });

  it("keeps its key when the same generation is archived again, because a stub may name it", async () => {
    names++;
    const header = headerOf(user);
    const former = await writeFormerly(header, "one");
    expect((await write(header, "one")).ref).toEqual(former);
    expect(await keys(header)).toEqual([formerKeyOf(header)]);
  });

  it("is deleted together with one under the new key", async () => {
    names++;
    const header = headerOf(user, 2);
    const older = await write(headerOf(user, 1), "one");
    await copyToFormerKey(headerOf(user, 1));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: older.ref.key }));
    const newer = await writeBeside(header, "one", "two");
    expect(await keys(header)).toHaveLength(2);
    const found = await archive.find(header);
    expect(found).toEqual([
      { etag: newer, generation: 2 },
      { etag: older.ref.etag, generation: 1 },
    ]);
    for (const { etag } of found) await archive.remove(header, etag);
    expect(await keys(header)).toEqual([]);
  });
});

describe("when S3 rejects a call", () => {
  const header = headerOf("ann", 2);
  const failing = (status: number | undefined) =>
    Object.assign(new Error("S3"), { $metadata: { httpStatusCode: status } });

  /** Objects that answer a call with these statuses first, and then as S3 does. `upload` fails before it reads anything. */
  function withFailures(method: "head" | "read" | "upload" | "remove" | "ping", ...statuses: (number | undefined)[]) {
    const objects = createObjects(s3, Bucket);
    const calls: unknown[][] = [];
    const call = async (...args: unknown[]) => {
      calls.push(args);
      if (statuses.length > 0) throw failing(statuses.shift());
      return await (objects[method] as (...args: unknown[]) => Promise<unknown>)(...args);
    };
    return { calls, archive: createArchive(async () => ({ ...objects, [method]: call }) as typeof objects) };
  }

  it("a write that conflicts with another conditional write (409) is repeated", async () => {
    names++;
    const fresh = { ...header, id: `session-${names}` };
    const { archive: disturbed, calls } = withFailures("upload", 409);
    const written = await disturbed.write(fresh, async function* () {
      yield [message("one")];
    });
    expect(calls.map(([, , , condition]) => condition)).toEqual([{ IfNoneMatch: "*" }, { IfNoneMatch: "*" }]);
    expect(await read(written!.ref)).toEqual(["one"]);
  });

  it("a write that is refused early still knows all chunks of the stored object", async () => {
    names++;
    const fresh = { ...header, id: `session-${names}` };
    const first = await write(fresh, "one", "two", "x".repeat(1024 * 1024), "three");
    const { archive: refusing } = withFailures("upload", 412);
    const again = await refusing.write(fresh, async function* () {
      yield ["one", "two", "x".repeat(1024 * 1024), "three"].map(message);
    });
    expect(again).toEqual(first);
    expect(again?.ref.chunks).toHaveLength(2);
  });

  it.each([
    [undefined, "unavailable"],
    [500, "unavailable"],
    [503, "unavailable"],
    [429, "unavailable"],
    [403, "internal"],
    [400, "internal"],
  ])("the status %s makes every call fail as %s", async (status, code) => {
    const ref = { key: keyOf(header), etag: "e", bytes: 1, chunks: [{ offset: 0, first: "" }] };
    const messages = async function* () {
      yield [message("one")];
    };
    await expect(withFailures("upload", status).archive.write(header, messages)).rejects.toMatchObject({ code });
    await expect(withFailures("head", status).archive.find(header)).rejects.toMatchObject({ code });
    await expect(withFailures("read", status).archive.readChunk(ref, 0)).rejects.toMatchObject({ code });
    await expect(withFailures("remove", status).archive.remove(header, "e")).rejects.toMatchObject({ code });
    await expect(withFailures("ping", status).archive.ping()).rejects.toMatchObject({ code });
  });

  it.each([404, 412])("the status %d means that the object does not exist", async (status) => {
    const ref = { key: keyOf(header), etag: "e", bytes: 1, chunks: [{ offset: 0, first: "" }] };
    await expect(withFailures("read", status).archive.readChunk(ref, 0)).rejects.toMatchObject({ code: "not_found" });
    await expect(withFailures("remove", status).archive.remove(header, "e")).resolves.toBeUndefined();
    if (status === 404) expect(await withFailures("head", status).archive.find(header)).toEqual([]);
  });
});

it("a write whose messages cannot be read fails with the error of the reader, not with one of S3", async () => {
  const damaged = new AppError("internal", "a part of a session is not JSON");
  const writing = archive.write(headerOf("ann"), async function* () {
    yield* [];
    throw damaged;
  });
  await expect(writing).rejects.toBe(damaged);
});
