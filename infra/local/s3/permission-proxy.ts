import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream/promises";
import { authorization, encode } from "../iam/signature-v4.ts";
import type { Credentials } from "../lambda/environment.ts";
import { type Listening, listen } from "../listen.ts";
import { checkRequest, type S3Access, withoutHint } from "./access.ts";
import { readRequest, type S3Request } from "./request.ts";
import { route } from "./route.ts";
import { notImplemented, S3Error } from "./s3-error.ts";
import { describeError, send } from "./s3-server.ts";
import { type Signed, verifySignature } from "./signature.ts";

/** Headers that belong to a connection, or that the proxy writes itself. */
const OWN_HEADERS = new Set(["authorization", "connection", "expect", "host"]);

/**
 * Starts the endpoint that functions call when the host uses another S3 at `endpoint`. It rejects requests that the
 * function's role does not allow, and signs the others with credentials that the other S3 knows.
 */
export function startS3PermissionProxy({
  endpoint,
  credentials,
  access,
  log,
}: {
  endpoint: string;
  credentials: Credentials;
  access: S3Access;
  log: (line: string) => void;
}): Promise<Listening> {
  const server = createServer({ maxHeaderSize: 64 * 1024, requestTimeout: 0 }, handle);

  function handle(message: IncomingMessage, response: ServerResponse): void {
    serve(message, response).catch((error: unknown) => {
      log(`s3 ${message.method} ended early: ${error instanceof Error ? error.message : error}`);
      response.destroy();
    });
  }

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let request: S3Request | undefined;
    let signed: Signed | undefined;
    try {
      request = readRequest(message);
      signed = verifySignature(request, access.secretOf, new Date());
      const { name } = route(request);
      // The keys of DeleteObjects and the signatures of signed chunks are in the body, which the proxy does not read.
      if (name === "DeleteObjects" || signed.payload.startsWith("STREAMING-AWS4")) {
        throw notImplemented(`${name} with ${signed.payload} on another S3`);
      }
      checkRequest(access, signed.accessKeyId, name, request);
    } catch (error) {
      await send(message, response, describeError(error, message, request?.id ?? ""), request?.id ?? "");
      return;
    }
    const answer = await forward(request, signed);
    const isMissing = answer.statusCode === 404 && request.key !== undefined;
    const missing = new S3Error("NoSuchKey", "The specified key does not exist.");
    const shown = isMissing ? withoutHint(missing, access, signed.accessKeyId, request.bucket) : missing;
    if (shown === missing) {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      await pipeline(answer, response);
    } else {
      answer.resume();
      await send(message, response, describeError(shown, message, request.id), request.id);
    }
  }

  function forward(
    { method, rawPath, query, message, headers: read }: S3Request,
    signed: Signed,
  ): Promise<IncomingMessage> {
    const url = new URL(endpoint);
    const own = Object.entries(message.headersDistinct).flatMap(([name, values]) =>
      OWN_HEADERS.has(name) ? [] : [[name, (values ?? []).join(",")] as const],
    );
    const headers: Record<string, string> = {
      ...Object.fromEntries([...read].filter(([name]) => name.startsWith("x-amz-meta-"))),
      ...Object.fromEntries(own),
      host: url.host,
      "x-amz-date": signed.time,
      "x-amz-content-sha256": signed.payload,
    };
    const pairs = [...query].filter(([name]) => !/^x-amz-/i.test(name));
    const covered = Object.entries(headers).filter(([name]) => name === "host" || name.startsWith("x-amz-"));
    headers.authorization = authorization(
      { method, path: rawPath, query: pairs, headers: Object.fromEntries(covered), payload: signed.payload },
      "s3",
      credentials,
    );
    const search = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
    const path = search === "" ? rawPath : `${rawPath}?${search}`;
    return new Promise((resolve, reject) => {
      const start = url.protocol === "https:" ? httpsRequest : httpRequest;
      const sent = start({ hostname: url.hostname, port: url.port, method, path, headers }, resolve);
      sent.on("error", reject);
      pipeline(message, sent).catch(reject);
    });
  }

  return listen(server, 0);
}
