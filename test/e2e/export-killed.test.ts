import { createHash, randomBytes } from "node:crypto";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, expect, it } from "vitest";
import { type Call, caller } from "../bench/support/caller.ts";
import { type HostProcess, startHostProcess } from "../bench/support/host-process.ts";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { readZip } from "../support/export-world.ts";

const MB = 1024 * 1024;
const [FILES, SESSIONS, MESSAGES] = [6, 10, 100];

const { directory, remove } = temporaryDirectory();
const data = path.join(directory, "data");
let host: HostProcess | undefined;
afterAll(async () => {
  await host?.stop();
  remove();
});

const openS3 = (at: HostProcess) =>
  new S3Client({
    region: "us-east-1",
    endpoint: at.endpoints.s3,
    forcePathStyle: true,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });

/** Stores files of 4 MB, which do not shrink, and messages of 4 KB. Returns the hashes of the files by their ids. */
async function live(call: Call): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (let n = 0; n < FILES; n++) {
    const content = randomBytes(4 * MB);
    const about = { filename: `${n}.bin`, media_type: "application/octet-stream", bytes: content.length };
    const { id, upload } = (await call("POST", "/v1/files", about)).body;
    expect((await fetch(upload.url, { method: "PUT", headers: upload.headers, body: content })).status).toBe(200);
    files.set(id, createHash("sha256").update(content).digest("hex"));
  }
  for (let n = 0; n < SESSIONS; n++) {
    await call("POST", "/v1/sessions", { id: `s${n}` });
    const content = (m: number) => `message ${m} of s${n} ${randomBytes(3072).toString("base64")}`;
    // The server does not remember messages of the system.
    const messages = Array.from({ length: MESSAGES }, (_, m) => ({ role: "system", content: content(m) }));
    await call("POST", `/v1/sessions/s${n}/messages`, { messages });
  }
  return files;
}

it("an export is complete although the host was killed while it was built", { timeout: 300_000 }, async () => {
  host = await startHostProcess(data);
  let call = await caller(host, data, "ann");
  const files = await live(call);
  const { id } = (await call("POST", "/v1/exports")).body;
  const s3 = openS3(host);
  const at = { Bucket: host.bucket, Key: `exports/ann/${id}.progress.json` };
  const partsOf = async (): Promise<number> => {
    const { Body } = await s3.send(new GetObjectCommand(at)).catch(() => ({ Body: undefined }));
    return Body ? JSON.parse(await Body.transformToString()).parts.length : 0;
  };
  while ((await partsOf()) < 1) await sleep(10);
  await host.kill();
  s3.destroy();
  const index = new DatabaseSync(path.join(data, "s3", "index.sqlite"));
  const uploads = index.prepare("SELECT CAST(key AS TEXT) AS key FROM upload").all();
  index.close();
  expect(uploads.map(({ key }) => key)).toEqual([`exports/ann/${id}.zip`]);

  host = await startHostProcess(data, {}, { keep: true });
  call = await caller(host, data, "ann");
  const read = async () => (await call("GET", `/v1/exports/${id}`)).body;
  while ((await read()).status === "running") await sleep(100);
  const zip = await readZip(await read());
  const counts = { sessions: SESSIONS, messages: SESSIONS * MESSAGES, memories: 0, events: 0, files: FILES };
  expect(zip.answer.counts).toEqual(counts);
  const lines = zip.linesOf("sessions");
  const texts = lines.flatMap(({ type, content }) => (type === "message" ? [content.split(" ").slice(0, 4)] : []));
  expect(new Set(texts.map(String)).size).toBe(counts.messages);
  expect(lines.length).toBe(counts.sessions + counts.messages);
  expect(new Map(zip.manifest.entries.flatMap(({ path: at, sha256 }) => hashOf(at, sha256)))).toEqual(files);

  const after = openS3(host);
  const { Contents = [] } = await after.send(new ListObjectsV2Command({ Bucket: host.bucket, Prefix: "exports/" }));
  expect(Contents.map(({ Key }) => Key)).toEqual([`exports/ann/${id}.zip`]);
  expect((await after.send(new ListMultipartUploadsCommand({ Bucket: host.bucket }))).Uploads ?? []).toEqual([]);
  after.destroy();
});

/** The id and the hash of a user's file in the zip. */
function hashOf(name: string, sha256: string): [string, string][] {
  return name.startsWith("files/") ? [[name.slice("files/".length).slice(0, 36), sha256]] : [];
}
