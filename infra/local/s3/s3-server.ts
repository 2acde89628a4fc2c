import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Credentials } from "../lambda/environment.ts";
import { listen } from "../listen.ts";
import { insertBucket, setLifecycle } from "./bucket-operations.ts";
import { checkRequest, hideMissingObject, type S3Access } from "./check-request.ts";
import { answerPreflight, type CorsRule, corsHeaders } from "./cors.ts";
import { applyLifecycle, type LifecycleRule } from "./lifecycle.ts";
import { openStore } from "./object-store.ts";
import { readRequest, type S3Request, type S3Response } from "./request.ts";
import { findRoute } from "./routes.ts";
import { S3Error } from "./s3-error.ts";
import { type Signed, verifySignature } from "./signature.ts";
import { renderXml } from "./xml.ts";

interface S3Options extends Credentials {
  /** The directory of all data. It is created if it does not exist. One server at a time may use it. */
  directory: string;
  /** The time of writes and lifecycle rules, in milliseconds since 1970. @default Date.now */
  clock?: () => number;
  /** Checks callers with other credentials. @default no others are accepted */
  access?: S3Access;
  /** Receives one line per request, and the stack of an unexpected error. */
  log?: (line: string) => void;
}

/** How long running requests may take to finish when the server closes, in milliseconds. */
const CLOSE_GRACE = 5000;

/** Starts an S3 server that stores its data in files, on the loopback interface. */
export async function startS3(options: S3Options) {
  const { access, clock = Date.now, log = () => undefined } = options;
  const store = await openStore(options.directory, clock);
  const corsRules = new Map<string, readonly CorsRule[]>();
  const secretOf = (accessKeyId: string) =>
    accessKeyId === options.accessKeyId ? options.secretAccessKey : access?.secretOf(accessKeyId);

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = performance.now();
    let request: S3Request | undefined;
    let signed: Signed | undefined;
    let name = message.method ?? "";
    let result: S3Response;
    try {
      request = readRequest(message);
      if (request.method === "OPTIONS") {
        const answer = answerPreflight(corsRules.get(request.bucket) ?? [], message);
        return await send(message, response, answer, request.id);
      }
      // Clients sign with the time of this machine, not with the time of `clock`.
      signed = verifySignature(request, secretOf, Date.now());
      const route = findRoute(request);
      const { action = route.name } = route;
      name = route.name;
      if (access) checkRequest(access, signed.accessKeyId, action, request);
      result = await route.operation(store, request, signed, access);
    } catch (error) {
      if (!(error instanceof S3Error) && message.errored) throw error;
      if (!(error instanceof S3Error)) log(`s3 ${name} failed: ${error instanceof Error ? error.stack : error}`);
      const shown =
        access && signed && request ? hideMissingObject(error, access, signed.accessKeyId, request.bucket) : error;
      result = describeError(shown, message, request?.id);
    }
    const headers = { ...result.headers, ...corsHeaders(corsRules.get(request?.bucket ?? "") ?? [], message) };
    await send(message, response, { ...result, headers }, request?.id ?? "");
    log(`s3 ${name} ${request?.rawPath ?? ""} ${result.status} ${(performance.now() - start).toFixed(1)} ms`);
  }

  const server = createServer(
    { maxHeaderSize: 64 * 1024, requestTimeout: 0, keepAliveTimeout: 65_000 },
    (...exchange) => {
      serve(...exchange).catch((error: unknown) => {
        // The client has closed the connection, so it cannot receive an answer.
        log(`s3 ${exchange[0].method} ended early: ${error instanceof Error ? error.message : error}`);
        exchange[1].destroy();
      });
    },
  );
  const { url, close } = await listen(server, 0);
  return {
    url,
    /** Creates the bucket if it does not exist, and sets its lifecycle rules and its CORS rules. */
    async ensureBucket(name: string, rules: readonly LifecycleRule[], cors: readonly CorsRule[] = []): Promise<void> {
      corsRules.set(name, cors);
      await insertBucket(store, name);
      await setLifecycle(store, name, rules);
    },
    /** Applies the lifecycle rules of all buckets. Returns the number of objects and uploads that were deleted. */
    applyLifecycle: (now = clock()): Promise<number> => applyLifecycle(store, now),
    /** Finishes the running requests, then ends. */
    async close(): Promise<void> {
      await close(CLOSE_GRACE);
      store.close();
    },
  };
}

async function send(
  message: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body = "" }: S3Response,
  id: string,
): Promise<void> {
  response.statusCode = status;
  response.setHeader("x-amz-request-id", id);
  response.setHeader("server", "local-s3");
  // S3 sends no such header. Here pages have the same host as buckets, so browsers must not guess at types.
  response.setHeader("x-content-type-options", "nosniff");
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, headerText(value));
  }
  if (typeof body === "string" && body !== "" && !response.hasHeader("content-type")) {
    response.setHeader("content-type", "application/xml");
  }
  // Read the rest of a rejected body, so that the client can use the connection again.
  if (!message.complete) message.resume();
  if (typeof body !== "string" && !Buffer.isBuffer(body)) {
    await pipeline(body, response);
    return;
  }
  if (!response.hasHeader("content-length") && ![204, 304].includes(status)) {
    response.setHeader("content-length", Buffer.byteLength(body));
  }
  await new Promise<void>((resolve) => {
    response.once("close", resolve);
    response.end(body, resolve);
  });
}

/** A presigned URL can carry metadata that is not valid in a header. S3 encodes it by RFC 2047. */
function headerText(value: string): string {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? value : `=?UTF-8?B?${Buffer.from(value).toString("base64")}?=`;
}

/** The response for an error. An error that is not an S3Error becomes an InternalError. */
function describeError(error: unknown, { method, url = "" }: IncomingMessage, RequestId = ""): S3Response {
  const internal = new S3Error("InternalError", "We encountered an internal error. Please try again.");
  const { code: Code, message: Message, status, headers } = error instanceof S3Error ? error : internal;
  const hasBody = method !== "HEAD" && status !== 304;
  const document = { Code, Message, Resource: url.split("?")[0], RequestId };
  return { status, headers, body: hasBody ? renderXml("Error", document) : "" };
}
