import type { IncomingMessage } from "node:http";

/** Bytes that API Gateway takes as a request's body. */
export const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** The media type of a request that names none. */
export const JSON_TYPE = "application/json";

/** Reads a body. Undefined as soon as it is, or says it will be, larger than the gateway takes. Rejects when the client goes. */
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
    request.on("close", () => reject(new Error("the client went away before its request was whole")));
  });
}

/** A body as the event carries it: text, or Base64 for media types that the API declares binary. Without a type it is JSON. */
export function encodeBody(body: Buffer, contentType: string | undefined, binaryMediaTypes: string[]) {
  if (body.length === 0) return { body: null, isBase64Encoded: false };
  if (isBinary(contentType ?? JSON_TYPE, binaryMediaTypes))
    return { body: body.toString("base64"), isBase64Encoded: true };
  return { body: body.toString("utf8"), isBase64Encoded: false };
}

/** Whether a media type, or the first of an `Accept` header, is among those declared. */
export function isBinary(header: string | undefined, binaryMediaTypes: string[]): boolean {
  if (binaryMediaTypes.includes("*/*")) return true;
  const type = header?.split(/[;,]/)[0]?.trim().toLowerCase() ?? "";
  return binaryMediaTypes.some((declared) => {
    const wanted = declared.toLowerCase();
    return wanted === type || (wanted.endsWith("/*") && type.startsWith(wanted.slice(0, -1)));
  });
}
