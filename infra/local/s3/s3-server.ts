import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Credentials } from "../lambda/environment.ts";
import { listen } from "../listen.ts";
import { checkRequest, type S3Access, withoutHint } from "./access.ts";
import { applyLifecycle } from "./lifecycle.ts";
import { openStore, type Store } from "./object-store.ts";
import { readRequest, type S3Request, type S3Response } from "./request.ts";
import { route } from "./route.ts";
import { S3Error } from "./s3-error.ts";
import { type Signed, verifySignature } from "./signature.ts";
import { renderErrorXml } from "./xml.ts";

interface S3Options extends Credentials {
  /** The directory of all data. It is created if it does not exist. One server at a time may use it. */
  directory: string;
  /** @default 0, a free port */
  port?: number;
  /** The time of writes and lifecycle rules, in milliseconds since 1970. @default Date.now */
  clock?: () => number;
  /** Checks callers with other credentials. @default no others are accepted */
  access?: S3Access;
  /** Receives one line per request, and the stack of an unexpected error. */
  log?: (line: string) => void;
}

export interface S3Server {
  /** `http://127.0.0.1:<port>` */
  url: string;
  /** Finishes the running requests, then ends. */
  close(): Promise<void>;
  /** Applies the lifecycle rules of all buckets. Returns the number of objects, versions and uploads that changed. */
  applyLifecycle(now?: Date): Promise<number>;
}

/** How long running requests may take to finish when the server closes, in milliseconds. */
const CLOSE_GRACE = 5000;

/** Starts an S3 server that stores its data in files, on the loopback interface. Throws when another process uses the directory. */
export async function startS3(options: S3Options): Promise<S3Server> {
  const clock = options.clock ?? Date.now;
  const store = await openStore(options.directory, clock);
  const log = options.log ?? (() => undefined);
  const handle = (message: IncomingMessage, response: ServerResponse): void => {
    serve(store, options, message, response, log).catch((error: unknown) => {
      // The client has closed the connection, so it cannot receive an answer.
      log(`s3 ${message.method} ended early: ${error instanceof Error ? error.message : error}`);
      response.destroy();
    });
  };
  const server = createServer({ maxHeaderSize: 64 * 1024, requestTimeout: 0, keepAliveTimeout: 65_000 }, handle);
  const listening = await listen(server, options.port ?? 0).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  return {
    url: listening.url,
    applyLifecycle: (now = new Date(clock())) => applyLifecycle(store, now),
    close: async () => {
      await listening.close(CLOSE_GRACE);
      await store.close();
    },
  };
}

async function serve(
  store: Store,
  options: S3Options,
  message: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): Promise<void> {
  const start = performance.now();
  const { access } = options;
  let request: S3Request | undefined;
  let signed: Signed | undefined;
  let name = message.method ?? "";
  let result: S3Response;
  try {
    request = readRequest(message);
    // Clients sign with the time of this machine, not with the time of `clock`.
    signed = verifySignature(request, (accessKeyId) => secretOf(options, accessKeyId), new Date());
    const found = route(request);
    name = found.name;
    if (access) checkRequest(access, signed.accessKeyId, name, request);
    result = await found.operation(store, request, signed, access);
  } catch (error) {
    if (!(error instanceof S3Error) && message.errored) throw error;
    if (!(error instanceof S3Error)) log(`s3 ${name} failed: ${error instanceof Error ? error.stack : error}`);
    const shown = access && signed && request ? withoutHint(error, access, signed.accessKeyId, request.bucket) : error;
    result = describeError(shown, message, request?.id ?? "");
  }
  await send(message, response, result, request?.id ?? "");
  log(`s3 ${name} ${request?.rawPath ?? ""} ${result.status} ${(performance.now() - start).toFixed(1)} ms`);
}

function secretOf({ accessKeyId, secretAccessKey, access }: S3Options, asked: string): string | undefined {
  return asked === accessKeyId ? secretAccessKey : access?.secretOf(asked);
}

/** Sends a response of the S3 API. */
export async function send(
  message: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body = "" }: S3Response,
  id: string,
): Promise<void> {
  response.statusCode = status;
  response.setHeader("x-amz-request-id", id);
  response.setHeader("x-amz-id-2", id);
  response.setHeader("server", "local-s3");
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) response.setHeader(name, headerText(value));
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
    response.end(message.method === "HEAD" ? undefined : body, resolve);
  });
}

/** A presigned URL can carry metadata that is not valid in a header. S3 encodes it by RFC 2047. */
function headerText(value: string): string {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? value : `=?UTF-8?B?${Buffer.from(value).toString("base64")}?=`;
}

/** The response for an error. An error that is not an S3Error becomes an InternalError. */
export function describeError(error: unknown, message: IncomingMessage, id: string): S3Response {
  const known =
    error instanceof S3Error
      ? error
      : new S3Error("InternalError", "We encountered an internal error. Please try again.");
  const bodiless = message.method === "HEAD" || known.status === 304;
  const Resource = (message.url ?? "").split("?")[0] ?? "";
  return {
    status: known.status,
    headers: known.headers,
    body: bodiless ? "" : renderErrorXml({ Code: known.code, Message: known.message, Resource, RequestId: id }),
  };
}
