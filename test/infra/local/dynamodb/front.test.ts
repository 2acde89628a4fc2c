import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Front, startFront } from "../../../../infra/local/dynamodb/front.ts";
import type { Access } from "../../../../infra/local/iam/access.ts";
import { type Listening, listen } from "../../../../infra/local/listen.ts";

interface Seen {
  headers: IncomingMessage["headers"];
  body: string;
}

const seen: Seen[] = [];
let engine: Listening;
let front: Front;
let socket: Socket;

/** Allows a function that has the access key FUNCTION to get items. */
const access = {
  isFunction: (accessKey: string) => accessKey === "FUNCTION",
  dynamodbPermissions: (operation: string, body: { TableName?: string }) =>
    operation === "Unknown" ? undefined : [{ action: `dynamodb:${operation}`, resource: body.TableName ?? "none" }],
  check: (_accessKey: string, permissions: { action: string; resource: string }[]) =>
    permissions.every(({ action }) => action === "dynamodb:GetItem")
      ? undefined
      : { message: `refused ${permissions[0]?.resource}`, permission: permissions[0] },
} as unknown as Access;

beforeAll(async () => {
  const server = createServer(async (request, response) => {
    seen.push({ headers: request.headers, body: Buffer.concat(await request.toArray()).toString() });
    response.end(`answer ${seen.length}`);
  });
  engine = await listen(server, 0);
  front = await startFront({ endpoint: engine.url, access, log: () => {} });
});
afterEach(() => {
  socket.destroy();
  seen.length = 0;
});
afterAll(async () => {
  await front.close();
  await engine.close();
});

const request = (operation: string, body: object, accessKey = "FUNCTION", more = "") => {
  const text = JSON.stringify(body);
  return `POST / HTTP/1.1\r\nHost: front\r\nX-Amz-Target: DynamoDB_20120810.${operation}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=${accessKey}/20260101/us-east-1/dynamodb/aws4_request, Signature=0\r\n${more}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
};

/** Sends pieces on one connection, one after the other, and gives all that comes back. */
async function send(...pieces: string[]): Promise<string> {
  socket = connect(Number(new URL(front.url).port), "127.0.0.1");
  await once(socket, "connect");
  let answer = "";
  socket.on("data", (chunk: Buffer) => {
    answer += String(chunk);
  });
  for (const piece of pieces) {
    socket.write(piece);
    await sleep(50);
  }
  return answer;
}

describe("the DynamoDB that functions call", () => {
  test("hands an allowed request on as it came, also in pieces and with a large body", async () => {
    const long = request("GetItem", { TableName: "t", text: "é".repeat(100_000) });
    const answer = await send(long.slice(0, 10), long.slice(10, 250), long.slice(250, 90_000), long.slice(90_000));
    expect(answer).toContain("answer 1");
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ TableName: "t", text: "é".repeat(100_000) });
  });

  test("serves one request after the other on a connection, also two that come in one piece", async () => {
    const get = request("GetItem", { TableName: "t" });
    expect(await send(get, get, get + get)).toMatch(/answer 1[\s\S]*answer 2[\s\S]*answer 3[\s\S]*answer 4/);
  });

  test("answers a refused request itself, and the connection goes on", async () => {
    const answer = await send(request("PutItem", { TableName: "t" }), request("GetItem", { TableName: "t" }));
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*AccessDeniedException","Message":"refused t"[\s\S]*answer 1$/);
    expect(seen).toHaveLength(1);
  });

  test("refuses access keys that belong to no function, and requests without one", async () => {
    expect(await send(request("GetItem", {}, "STRANGER"))).toContain("UnrecognizedClientException");
    socket.destroy();
    expect(await send("GET / HTTP/1.1\r\nHost: front\r\n\r\n")).toContain("UnrecognizedClientException");
    expect(seen).toHaveLength(0);
  });

  test("refuses an operation of which it does not know what it needs", async () => {
    expect(await send(request("Unknown", {}))).toContain("does not know which permissions Unknown needs");
    expect(seen).toHaveLength(0);
  });

  test("ends a connection on which the length of a body is not known", async () => {
    const chunked = request("GetItem", {}).replace("Content-Length: 2", "Transfer-Encoding: chunked");
    expect(await send(chunked)).toBe("");
    expect(socket.destroyed || socket.readableEnded).toBe(true);
    expect(seen).toHaveLength(0);
  });
});
