import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type S3Access, withoutHint } from "./access.ts";
import { S3Error } from "./error.ts";
import { applyLifecycle } from "./lifecycle.ts";
import { readRequest, type S3Request, type S3Response } from "./request.ts";
import { route } from "./route.ts";
import { type Credentials, type Signed, verifySignature } from "./signature.ts";
import { openStore, type Store } from "./store.ts";
import { renderErrorXml } from "./xml.ts";

export interface S3Options extends Credentials {
  /** Where everything is kept; made if it is not there. One server at a time may use it. */
  directory: string;
  /** @default 0, a free port */
  port?: number;
  /** Stamps objects, and is the time that lifecycle rules go by, in epoch milliseconds. @default Date.now */
  clock?: () => number;
  /** What callers with other credentials may do. @default there are no others */
  access?: S3Access;
  /** Gets a line for every request, and the stack of an error that was the server's own fault. */
  log?: (line: string) => void;
}

export interface S3Server {
  /** `http://127.0.0.1:<port>` */
  url: string;
  /** Finishes the requests under way, then ends. */
  close(): Promise<void>;
  /** Carries out the lifecycle rules of all buckets; returns how many objects, versions and uploads changed. */
  applyLifecycle(now?: Date): Promise<number>;
}

/** Milliseconds that requests under way get to finish when the server closes. */
const CLOSE_GRACE = 5000;

/** Starts an S3 server on files, on the loopback interface. Throws when another process uses the directory. */
export async function startS3(options: S3Options): Promise<S3Server> {
  const clock = options.clock ?? Date.now;
  const store = await openStore(options.directory, clock);
  const log = options.log ?? (() => undefined);
  const handle = (message: IncomingMessage, response: ServerResponse): void => {
    serve(store, options, message, response, log).catch((error: unknown) => {
      // The client went away: there is nobody left to answer.
      log(`s3 ${message.method} ended early: ${error instanceof Error ? error.message : error}`);
      response.destroy();
    });
  };
  const server = createServer({ maxHeaderSize: 64 * 1024, requestTimeout: 0, keepAliveTimeout: 65_000 }, handle);
  // The client that waits for it is told to go on when its body is wanted, not before.
  server.on("checkContinue", handle);
  try {
    await listen(server, options.port ?? 0);
  } catch (error) {
    await store.close();
    throw error;
  }
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  return {
    url: `http://127.0.0.1:${port}`,
    applyLifecycle: (now = new Date(clock())) => applyLifecycle(store, now),
    close: async () => {
      const grace = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      clearTimeout(grace);
      await store.close();
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
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
    request = readRequest(message, response);
    // Clients sign with the machine's time.
    signed = verifySignature(request, (accessKeyId) => secretOf(options, accessKeyId), new Date());
    const found = route(request);
    name = found.name;
    access?.check(signed.accessKeyId, name, request);
    result = await found.operation(store, request, signed, access);
  } catch (error) {
    if (!(error instanceof S3Error) && message.errored) throw error;
    if (!(error instanceof S3Error)) log(`s3 ${name} failed: ${error instanceof Error ? error.stack : error}`);
    const shown = access && signed && request ? withoutHint(error, access, signed, request) : error;
    result = describeError(shown, message, request?.id ?? "");
  }
  // Without its body wanted, a client that waits to send it may do so or not: only a new connection is unambiguous.
  if (request?.isWaiting()) response.setHeader("connection", "close");
  await send(message, response, result, request?.id ?? "");
  log(`s3 ${name} ${request?.rawPath ?? ""} ${result.status} ${(performance.now() - start).toFixed(1)} ms`);
}

function secretOf({ accessKeyId, secretAccessKey, access }: S3Options, asked: string): string | undefined {
  return asked === accessKeyId ? secretAccessKey : access?.secretOf(asked);
}

/** Sends an answer of the S3 API. */
export async function send(
  message: IncomingMessage,
  response: ServerResponse,
  { status, headers = {}, body = "" }: S3Response,
  id: string,
): Promise<void> {
  response.statusCode = status;
  response.setHeader("x-amz-request-id", id);
  response.setHeader("x-amz-id-2", id);
  response.setHeader("server", "memocha-local-s3");
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) response.setHeader(name, headerText(value));
  if (typeof body === "string" && body !== "" && !response.hasHeader("content-type")) {
    response.setHeader("content-type", "application/xml");
  }
  // What is left of a body that was refused is read and dropped, so that the connection can go on.
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

/** Presigned URLs bring metadata that no header can hold; S3 writes it as RFC 2047 says. */
function headerText(value: string): string {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? value : `=?UTF-8?B?${Buffer.from(value).toString("base64")}?=`;
}

/** The answer that tells a client of an error. Errors that are none of the S3 API's are internal ones. */
export function describeError(error: unknown, message: IncomingMessage, id: string): S3Response {
  const known =
    error instanceof S3Error
      ? error
      : new S3Error("InternalError", "We encountered an internal error. Please try again.");
  const bodiless = message.method === "HEAD" || known.status === 304;
  const elements = Object.entries(known.elements);
  const resource = (message.url ?? "").split("?")[0] ?? "";
  return {
    status: known.status,
    headers: { ...known.headers },
    body: bodiless
      ? ""
      : renderErrorXml([
          ["Code", known.code],
          ["Message", known.message],
          ["Resource", resource],
          ...elements,
          ["RequestId", id],
        ]),
  };
}
