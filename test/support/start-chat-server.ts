import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { Readable } from "node:stream";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import { createChat } from "../../functions/chat/chat.ts";
import { createCompletions } from "../../functions/chat/completions.ts";
import { createFollowChat } from "../../functions/chat/follow.ts";
import { createFollowUiChat } from "../../functions/chat/follow-ui.ts";
import { createListModels } from "../../functions/chat/models.ts";
import { createReadUiChat } from "../../functions/chat/read-ui.ts";
import { createSendUiChat } from "../../functions/chat/send-ui.ts";
import { createStopChat } from "../../functions/chat/stop.ts";
import { createResumeChat } from "../../functions/chat/stream.ts";
import { createGetUsage } from "../../functions/chat/usage.ts";
import { listen } from "../../infra/local/listen.ts";
import type { ChatDependencies } from "../../shared/chat/turn.ts";
import type { HttpDependencies, HttpHandler } from "../../shared/http/chain.ts";
import type { OperationId } from "../../shared/http/operations.ts";
import { createIdempotencyStore } from "../../shared/idempotency/idempotency-store.dynamodb.ts";
import type { Plans } from "../../shared/limits/plans.ts";
import { createRouter } from "./create-router.ts";
import { expectDocumented, servedBy } from "./documented.ts";
import type { World } from "./world.ts";

const PLANS: Plans = {
  free: { requests_per_minute: 0, tokens_per_day: 0 },
  tiny: { requests_per_minute: 1, tokens_per_day: 0 },
};

/** An execution mode that streams, as on Lambda: the handler's promise resolves with the first token. */
const executionMode = ((
  core: Core,
  befores: unknown,
  handler: unknown,
  afters: unknown,
  errors: unknown,
  plugin: Hooks,
) => {
  let current = handler;
  const run = async (event: unknown, context: unknown) => {
    const request = core.middyRequest(event, context);
    const response = await core.runRequest(request, befores, current, afters, errors, plugin);
    void plugin.requestEnd(request);
    return response;
  };
  return Object.assign(run, {
    handler: (replaced: unknown) => {
      current = replaced;
      return run;
    },
  });
}) as unknown as NonNullable<HttpDependencies["executionMode"]>;

interface Core {
  middyRequest(event: unknown, context: unknown): object;
  runRequest(...args: unknown[]): Promise<unknown>;
}
interface Hooks {
  requestEnd(request: object): Promise<unknown>;
}

/** Serves the chat operations, and others, over HTTP. The bearer token is `<user>`, `<user>/<plan>` or `<user>/<plan>/admin`. */
export async function startChatServer(
  world: World,
  deps: ChatDependencies,
  others: Partial<Record<OperationId, HttpHandler>> = {},
) {
  const { ungated, persons, stores } = world;
  const all = {
    ...deps,
    corsOrigins: [],
    idempotency: createIdempotencyStore(ungated),
    persons,
    plans: PLANS,
    executionMode,
  };
  const handlers: Partial<Record<OperationId, HttpHandler>> = {
    chat: createChat(all),
    createCompletion: createCompletions(all),
    resumeChat: createResumeChat(all),
    followChat: createFollowChat(all),
    stopChat: createStopChat(all),
    readUiChat: createReadUiChat({
      ...all,
      fileUrls: async (_user, ids) => new Map(ids.map((id) => [id, `url of ${id}`])),
    }),
    followUiChat: createFollowUiChat(all),
    sendUiChat: createSendUiChat(all),
    getUsage: createGetUsage({ clock: stores.clock, corsOrigins: [], limits: deps.limits, plans: PLANS }),
    listModels: createListModels({
      ...all,
      targets: { baseUrl: "http://provider.example/v1", model: "model-a", fallbacks: [], prices: {} },
      providerModels: async () => [{ id: "model-b", created: 1_700_000_000, owned_by: "provider" }],
    }),
    ...others,
  };
  const routeOf = createRouter(handlers);
  const server = createServer(async (request, response) => {
    const { pathname: path, searchParams } = new URL(request.url ?? "", "http://localhost");
    const route = routeOf(request.method, path);
    if (!route) return void response.writeHead(404).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [sub, plan = "", role] = (request.headers.authorization ?? "").replace("Bearer ", "").split("/");
    const event = {
      httpMethod: request.method,
      path,
      headers: request.headers,
      queryStringParameters: Object.fromEntries(searchParams),
      pathParameters: route.pathParameters,
      body: chunks.length > 0 ? Buffer.concat(chunks).toString() : null,
      isBase64Encoded: false,
      requestContext: {
        requestId: randomUUID(),
        authorizer: { sub, plan, admin: String(role === "admin"), exp: String(stores.clock() / 1000 + 60) },
      },
    } as unknown as APIGatewayProxyEvent;
    const context = { getRemainingTimeInMillis: () => 60_000 } as Context;
    const answer = (await route.handler(event, context)) as APIGatewayProxyResult;
    expectDocumented(
      route.id,
      servedBy({ ...answer, status: answer.statusCode, headers: answer.headers ?? {}, hasBody: answer.body !== "" }),
    );
    response.writeHead(answer.statusCode, answer.headers as Record<string, string>);
    response.flushHeaders();
    if (typeof answer.body === "string") response.end(answer.body);
    else (answer.body as unknown as Readable).pipe(response);
  });
  return await listen(server, 0);
}
