import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Access } from "../iam/access.ts";
import { dynamodbPermissions } from "../iam/permissions.ts";
import { authorization, sha256 } from "../iam/signature-v4.ts";
import type { Credentials } from "../lambda/environment.ts";
import { LOOPBACK } from "../listen.ts";

interface PermissionProxy {
  url: string;
  close(): Promise<void>;
}

/** A request as the client sent it. */
interface Request {
  bytes: Buffer;
  /** The request line and the headers. */
  head: string;
  body: Buffer;
}

const END_OF_HEAD = "\r\n\r\n";
/** The largest head, in bytes. */
const MAX_HEAD = 64 * 1024;

/**
 * Starts the endpoint that functions call for DynamoDB. It rejects requests that the function's role does not allow, and sends the
 * others to the engine.
 *
 * It parses only the parts of a request that it needs, and pipes responses through. This adds 50 to 100 µs of CPU per call; Node's HTTP
 * server and client would add 200 to 270 µs, and a call takes about 600 µs. It relies on the SDK, which waits for a response before it
 * sends the next request on a connection.
 */
export async function startPermissionProxy({
  endpoint,
  credentials,
  access,
  log,
}: {
  endpoint: string;
  /** The engine's credentials. @default the engine accepts any */
  credentials?: Credentials | undefined;
  access: Access;
  log: (line: string) => void;
}): Promise<PermissionProxy> {
  const url = new URL(endpoint);
  const isTls = url.protocol === "https:";
  const target = { host: url.hostname, port: Number(url.port || (isTls ? 443 : 80)), noDelay: true };
  const connections = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const engine = isTls ? connectTls({ ...target, servername: url.hostname }) : connect(target);
    for (const socket of [client, engine]) {
      connections.add(socket);
      // The other side sees an error as a closed connection, as it would without the proxy.
      socket.on("error", () => {});
      socket.on("close", () => {
        connections.delete(socket);
        client.destroy();
        engine.destroy();
      });
    }
    engine.pipe(client);
    const read = createReader((request) => {
      const refused = findRefusal(access, request);
      if (refused === undefined) engine.write(credentials ? signAgain(request, url.host, credentials) : request.bytes);
      else {
        log(`DynamoDB refuses: ${refused.message}`);
        client.write(answer(refused));
      }
    });
    client.on("data", (chunk) => {
      if (!read(chunk)) client.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, LOOPBACK, resolve);
  });
  const address = server.address();
  return {
    url: `http://${LOOPBACK}:${typeof address === "object" ? address?.port : ""}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

/**
 * Creates a function that splits the bytes of a connection into requests. It returns false for a chunked request or a head that is too
 * long: the SDK sends neither.
 */
function createReader(take: (request: Request) => void): (chunk: Buffer) => boolean {
  let chunks: Buffer[] = [];
  let size = 0;
  /** Bytes of the current request, once its head has arrived. */
  let wanted = 0;

  return (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size > 0 && size >= wanted) {
      const bytes = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
      chunks = [bytes];
      const end = bytes.indexOf(END_OF_HEAD);
      if (end < 0) return size <= MAX_HEAD;
      const head = bytes.toString("latin1", 0, end + END_OF_HEAD.length);
      if (/^transfer-encoding:/im.test(head)) return false;
      wanted = head.length + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (size < wanted) return true;
      take({ bytes: bytes.subarray(0, wanted), head, body: bytes.subarray(head.length, wanted) });
      chunks = [bytes.subarray(wanted)];
      size -= wanted;
      wanted = 0;
    }
    if (size === 0) chunks = [];
    return true;
  };
}

/** Signs the request again, with the engine's credentials. */
function signAgain({ head, body }: Request, host: string, credentials: Credentials): Buffer {
  const [first = "", ...lines] = head.trimEnd().split("\r\n");
  const kept = lines.filter((line) => !/^(authorization|host):/i.test(line));
  const value = (name: string) => new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1]?.trim() ?? "";
  const headers = { host, "x-amz-date": value("x-amz-date"), "x-amz-target": value("x-amz-target") };
  const signed = authorization({ method: "POST", path: "/", headers, payload: sha256(body) }, "dynamodb", credentials);
  const written = [first, `host: ${host}`, `authorization: ${signed}`, ...kept, "", ""].join("\r\n");
  return Buffer.concat([Buffer.from(written, "latin1"), body]);
}

interface Refusal {
  code: string;
  message: string;
}

/** Returns the error for a request that the function's role does not allow; `undefined` when the role allows it. */
function findRefusal(access: Access, { head, body }: Request): Refusal | undefined {
  const [, accessKey = ""] = /^authorization:[^\r]*Credential=([^/,\s]+)/im.exec(head) ?? [];
  if (access.secretOf(accessKey) === undefined) {
    return { code: "UnrecognizedClientException", message: "The security token included in the request is invalid." };
  }
  const [, operation = ""] = /^x-amz-target:[^\r]*\.(\w+)/im.exec(head) ?? [];
  const permissions = dynamodbPermissions(operation, parse(body));
  if (permissions === undefined) {
    // Refuse an unknown operation, because its permissions cannot be checked.
    return {
      code: "UnknownOperationException",
      message: `The local host does not know which permissions ${operation} needs`,
    };
  }
  const refusal = access.check(accessKey, permissions);
  return refusal === undefined ? undefined : { code: "AccessDeniedException", message: refusal };
}

/** An invalid body becomes {}: the engine explains the error. */
function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {};
  }
}

function answer({ code, message }: Refusal): string {
  const body = JSON.stringify({ __type: `com.amazon.coral.service#${code}`, Message: message });
  return [
    "HTTP/1.1 400 Bad Request",
    "content-type: application/x-amz-json-1.0",
    `content-length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
}
