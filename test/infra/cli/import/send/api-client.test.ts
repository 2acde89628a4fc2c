import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createApiClient, defaultRetryPolicy } from "../../../../../infra/cli/import/send/api-client.ts";

const policy = { ...defaultRetryPolicy, attempts: 3, baseMs: 1, capMs: 2 };

/** A server that gives the answers of the list in order, and the last answer to all later requests. */
async function serverOf(...answers: ((request: IncomingMessage, response: ServerResponse) => void)[]) {
  const seen: { path: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? "", authorization: request.headers.authorization });
    (answers[seen.length - 1] ?? answers.at(-1))?.(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const status =
  (code: number, body = "{}") =>
  (_request: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(code).end(body);

const sendTo = (url: string) =>
  createApiClient({ url, token: async () => "secret", policy, signal: new AbortController().signal });

test("a redirect is not followed, so that no other server gets the token", async () => {
  const elsewhere = await serverOf(status(200));
  const { url, seen } = await serverOf((_request, response) =>
    response.writeHead(307, { location: `${elsewhere.url}/v1/sessions` }).end(),
  );
  await expect(sendTo(url)({ method: "GET", path: "/v1/sessions" })).rejects.toThrow("(3 attempts)");
  expect(seen).toHaveLength(3);
  expect(elsewhere.seen).toEqual([]);
});

test.each([408, 429, 500, 503])("the request is sent again after the status %d", async (code) => {
  const { url, seen } = await serverOf(status(code), status(200, '{"ok":true}'));
  expect(await sendTo(url)({ method: "GET", path: "/" })).toEqual({ status: 200, body: { ok: true } });
  expect(seen.map(({ authorization }) => authorization)).toEqual(["Bearer secret", "Bearer secret"]);
});

test.each([400, 403, 404, 409, 422])(
  "the status %d is final, unless the request says that it is temporary",
  async (code) => {
    const refusing = await serverOf(status(code, '{"detail":"no","errors":[{"path":"a","message":"is wrong"}]}'));
    await expect(sendTo(refusing.url)({ method: "GET", path: "/" })).rejects.toMatchObject({
      name: "Refused",
      status: code,
      message: `${code}: no; a is wrong`,
    });
    expect(refusing.seen).toHaveLength(1);
    const passing = await serverOf(status(code), status(201));
    const answer = await sendTo(passing.url)({ method: "POST", path: "/", body: {}, retry: [code] });
    expect([answer.status, passing.seen.length]).toEqual([201, 2]);
    const accepted = await sendTo(refusing.url)({ method: "POST", path: "/", body: {}, accept: [code] });
    expect(accepted.status).toBe(code);
  },
);

test("a request is sent again after an answer that was cut off", async () => {
  const { url, seen } = await serverOf(status(200, '{"data":['), status(200, '{"data":[]}'));
  expect(await sendTo(url)({ method: "GET", path: "/" })).toEqual({ status: 200, body: { data: [] } });
  expect(seen).toHaveLength(2);
});
