import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  appendMessagesSchema,
  createSessionSchema,
  type MessageInput,
  type SessionCreate,
} from "../../../../shared/session/schema.ts";

export interface FakeSession extends SessionCreate {
  status: "active" | "archived";
  messages: MessageInput[];
  head_id: string | null;
}

/** A fault of a request: it is not carried out, it is carried out but not answered, or it gets this answer. */
export type Fault = "drop" | "lose" | { status: number; retryAfter?: string };

export interface FakeRequest {
  /** Counted from 1. */
  n: number;
  method: string;
  path: string;
  user: string;
  idempotencyKey: string | undefined;
  body: { messages?: MessageInput[] } & Record<string, unknown>;
}

export interface FakeApi {
  url: string;
  /** Sessions by user and id. */
  users: Map<string, Map<string, FakeSession>>;
  /** The contents of uploaded files, by user and id. */
  files: Map<string, string>;
  requests: FakeRequest[];
  /** Decides the fault of each request, except those to /health. */
  fault: (request: FakeRequest) => Fault | undefined;
  /** Called before a request is answered. `hangUp` closes the connection, but the request is still carried out. */
  before: (request: FakeRequest, hangUp: () => void) => Promise<void> | void;
  /** The stored sessions, without the values that differ between runs. */
  state(): Record<string, { title: unknown; messages: unknown[] }>;
  close(): Promise<void>;
}

interface Answer {
  status: number;
  body: unknown;
}

const problem = (status: number, detail: string): Answer => ({ status, body: { status, detail, code: "x" } });

/** The part of the HTTP API that an import uses, in memory; `token` is a user's name, which may end with `+act-as`. */
export async function startFakeApi(): Promise<FakeApi> {
  const answered = new Map<string, { digest: string; answer: Answer }>();
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const api: FakeApi = {
    url: `http://127.0.0.1:${port}`,
    users: new Map(),
    files: new Map(),
    requests: [],
    fault: () => undefined,
    before: () => undefined,
    state() {
      const sessions = [...api.users].flatMap(([user, stored]) =>
        [...stored].map(([id, { title, messages }]) => [`${user}/${id}`, { title, messages }] as const),
      );
      return Object.fromEntries(sessions.sort(([a], [b]) => (a < b ? -1 : 1)));
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return api;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await text(request);
    const path = request.url ?? "";
    if (path.startsWith("/upload/")) {
      const id = path.slice("/upload/".length);
      const status = api.files.has(id) ? 412 : 200;
      api.files.set(id, api.files.get(id) ?? raw);
      return void response.writeHead(status).end();
    }
    if (path === "/health") return reply(response, { status: 200, body: { status: "ok" } });
    const [token, scope] = (request.headers.authorization ?? "").replace("Bearer ", "").split("+");
    const named = request.headers["x-user-id"] as string | undefined;
    if (!token) return reply(response, problem(401, "no token"));
    if (named !== undefined && scope !== "act-as") return reply(response, problem(403, "X-User-Id needs act-as"));
    if (raw.length > 4 * 1024 * 1024) return reply(response, problem(413, "too large"));
    const key = request.headers["idempotency-key"] as string | undefined;
    const seen: FakeRequest = {
      n: api.requests.length + 1,
      method: request.method ?? "",
      path,
      user: named ?? token,
      idempotencyKey: key,
      body: raw ? JSON.parse(raw) : {},
    };
    api.requests.push(seen);
    await api.before(seen, () => request.socket.destroy());
    const fault = api.fault(seen);
    if (fault === "drop") return void request.socket.destroy();
    if (typeof fault === "object") {
      if (fault.retryAfter !== undefined) response.setHeader("retry-after", fault.retryAfter);
      return reply(response, problem(fault.status, "told to"));
    }
    const answer = once24h(seen, raw);
    if (fault === "lose") return void request.socket.destroy();
    reply(response, answer);
  }

  function once24h(request: FakeRequest, raw: string): Answer {
    if (request.idempotencyKey === undefined) return route(request);
    const key = `${request.user}\n${request.path}\n${request.idempotencyKey}`;
    const before = answered.get(key);
    const digest = createHash("sha256").update(raw).digest("hex");
    if (before) return before.digest === digest ? before.answer : problem(422, "another body");
    const answer = route(request);
    if (answer.status < 500) answered.set(key, { digest, answer });
    return answer;
  }

  function route({ method, path, user, body }: FakeRequest): Answer {
    const sessions = api.users.get(user) ?? new Map<string, FakeSession>();
    api.users.set(user, sessions);
    if (path === "/v1/files") {
      const upload = {
        url: `${api.url}/upload/${user}/${body.id}`,
        headers: { "content-type": String(body.media_type) },
      };
      return { status: 201, body: { id: body.id, upload } };
    }
    const [, , , encoded, messages] = path.split("/");
    const id = decodeURIComponent(encoded ?? "");
    if (method === "POST" && id === "") return create(sessions, body);
    const session = sessions.get(id);
    if (!session) return problem(404, "no such session");
    if (method === "PATCH") session.head_id = String(body.head_id);
    if (method === "GET" || method === "PATCH") {
      return { status: 200, body: { ...session, messages: undefined, message_count: session.messages.length } };
    }
    return messages === "messages" ? append(session, body) : problem(405, "no such route");
  }

  function create(sessions: Map<string, FakeSession>, body: unknown): Answer {
    const parsed = createSessionSchema.safeParse(body);
    if (!parsed.success) return problem(400, parsed.error.message);
    const id = parsed.data.id ?? "";
    if (sessions.has(id)) return problem(409, "exists");
    sessions.set(id, { metadata: {}, ...parsed.data, status: "active", messages: [], head_id: null });
    return { status: 201, body: { id, message_count: 0 } };
  }

  function append(session: FakeSession, body: unknown): Answer {
    const parsed = appendMessagesSchema.safeParse(body);
    if (!parsed.success) return problem(400, parsed.error.message);
    const messages = "messages" in parsed.data ? parsed.data.messages : [parsed.data];
    const known = new Set(session.messages.flatMap(({ id: stored }) => stored ?? []));
    session.messages.push(...messages.filter(({ id: given }) => given === undefined || !known.has(given)));
    session.head_id = messages.at(-1)?.id ?? null;
    session.status = "active";
    return { status: 201, body: { data: messages } };
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
