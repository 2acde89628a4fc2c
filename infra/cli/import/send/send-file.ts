import { createHash } from "node:crypto";
import type { SourceFile } from "../conversation.ts";
import { Refused, type Send } from "./api-client.ts";

/**
 * Stores a file under an id. A repeat changes nothing, because the API accepts the same file again.
 * @throws Refused, Unreachable, Interrupted
 */
export async function sendFile(id: string, file: SourceFile, user: string | undefined, send: Send): Promise<void> {
  const { filename, mediaType } = file;
  const content = await readContent(file);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const body = { id, filename, media_type: mediaType, bytes: content.length, sha256 };
  const created = await send({ method: "POST", path: "/v1/files", user, body });
  const { url, headers } = (created.body as { upload: { url: string; headers: Record<string, string> } }).upload;
  // 412: the content is stored already. 403: the URL has expired, because an earlier run created the file.
  const path = `/v1/files/${id}`;
  const { status } = await send({ method: "POST", path, upload: { url, headers, content }, accept: [403, 412] });
  if (status !== 403) return;
  const { status: state } = (await send({ method: "GET", path, user })).body as { status: string };
  if (state !== "ready") throw new Refused(status, `the upload of the file ${filename} was refused`);
}

async function readContent(file: SourceFile): Promise<Buffer> {
  try {
    return await file.read();
  } catch (error) {
    throw new Refused(0, `the file ${file.filename} cannot be read: ${(error as Error).message}`);
  }
}
