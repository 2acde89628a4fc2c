import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import type { FunctionSpec } from "../../../infra/function-spec.ts";
import { toInstant } from "../../../shared/clock.ts";
import { sessionKey } from "../../../shared/dynamodb/keys.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { type OperationId, operations } from "../../../shared/http/operations.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { DAY } from "../../../shared/retention/rule.ts";
import type { Engines } from "../../support/engines.ts";
import { createWorld, NOON } from "../../support/world.ts";

const USER = "cold";

/** Seconds. No other session of a run expires in this time. */
const TTL = 3600;

/** The body of each operation that has one. */
const bodies: Partial<Record<OperationId, object>> = {
  createSession: { title: "hello" },
  patchSession: { title: "hello" },
  appendMessages: { role: "user", content: "hello" },
  chat: { content: "hello", stream: true },
  createCompletion: { messages: [{ role: "user", content: "hello" }], stream: true },
  searchMemories: { query: "hello" },
  createEvent: { type: "feedback", value: 1 },
};

/**
 * Creates events that a function can process successfully: a request about the only session, which has one message; a stream record of
 * that session's message or expiry; or a scheduled event.
 */
export async function createFirstEvents(engines: Engines, token: string) {
  const world = createWorld(engines);
  world.advance(Date.now() - NOON);
  const metrics = createMetricStore(createTable(engines.dynamodb, engines.metricsTable));
  await metrics.advance("export", toInstant(Date.now() - DAY * 1000).slice(0, 10));
  let count = 0;

  return async ({ trigger }: FunctionSpec): Promise<object> => {
    await world.drop(USER, `session-${count}`);
    const id = `session-${++count}`;
    if (trigger.kind === "authorizer") return { authorizationToken: `Bearer ${token}`, methodArn: "api/stage/GET" };
    if (trigger.kind === "schedule" || trigger.kind === "invoke") return {};
    await world.create(USER, id, TTL, 1);
    if (trigger.kind === "http") return request(trigger.operation, id);
    const wantsMessages = trigger.filters.length === 1;
    return { Records: [wantsMessages ? await inserted(id) : await expired(id)] };
  };

  async function inserted(id: string) {
    const { Items = [] } = await engines.dynamodb.send(
      new QueryCommand({
        TableName: engines.tableName,
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :m)",
        ExpressionAttributeValues: { ":pk": sessionKey(USER, id), ":m": "M#" },
      }),
    );
    return { eventName: "INSERT", dynamodb: { NewImage: marshall(Items[0]), SequenceNumber: "1" } };
  }

  async function expired(id: string) {
    world.advance((TTL + 1) * 1000);
    const record = await world.sweep(USER, id);
    world.advance(-(TTL + 1) * 1000);
    return record;
  }
}

function request(operation: OperationId, id: string): object {
  const { method, path: resource } = operations[operation];
  return {
    httpMethod: method,
    path: resource.replace("{id}", id),
    resource,
    headers: {},
    pathParameters: { id, message_id: id, month: "2026-10" },
    queryStringParameters: null,
    body: JSON.stringify(bodies[operation] ?? null),
    isBase64Encoded: false,
    requestContext: {
      requestId: "cold",
      authorizer: { sub: USER, exp: String(Math.floor(Date.now() / 1000) + TTL), admin: "true", act_as: "false" },
    },
  };
}
