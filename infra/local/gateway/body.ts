import type { IncomingMessage } from "node:http";

/** Bytes of a request body at most, as in API Gateway. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** The media type of a request without a content-type. */
export const JSON_TYPE = "application/json";

/** Reads a body; undefined as soon as it or its content-length exceeds the limit. Rejects when the client disconnects. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  return await new Promise((resolve, reject) => {
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) return void chunks.push(chunk);
      request.pause();
      request.removeAllListeners("data");
      resolve(undefined);
    });
    request.on("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the client disconnected before the end of its request")));
  });
}

/** Encodes a body for the event: as text, or as Base64 for binary media types of the API. The default type is JSON. */
export function encodeBody(body: Buffer, contentType: string | undefined, binaryMediaTypes: string[]) {
  if (body.length === 0) return { body: null, isBase64Encoded: false };
  if (isBinary(contentType ?? JSON_TYPE, binaryMediaTypes))
    return { body: body.toString("base64"), isBase64Encoded: true };
  return { body: body.toString("utf8"), isBase64Encoded: false };
}

/** Whether a `Content-Type` is one of the binary media types, which are in lower case and have no `*`. */
export function isBinary(contentType: string, binaryMediaTypes: string[]): boolean {
  return binaryMediaTypes.includes(contentType.split(";")[0]?.trim().toLowerCase() ?? "");
}
