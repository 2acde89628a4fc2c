import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { paginateScan } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Periods, setPeriods, withPeriods } from "../../../shared/retention/periods.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { DAY, type RetentionRule } from "../../../shared/retention/rule.ts";
import { createExportWorld } from "../../support/export-world.ts";
import { kindOf } from "../../support/item-kinds.ts";
import { type Api, startApi } from "../../support/start-api.ts";

const rules = Object.values(retention) as RetentionRule[];

/** Other periods than those of the policy, for every kind of item that the test stores. */
const others: Periods = {
  archive: 500 * DAY,
  "archive.cold": 60 * DAY,
  idempotency: 7200,
  writeProbe: 120,
  unusedFile: 3 * 3600,
};
const { retention: usual } = withPeriods({});

describe("the retention policy", () => {
  it("has one row per place", () => {
    const places = rules.map(({ place }) => JSON.stringify(place));
    expect(new Set(places).size).toBe(places.length);
    for (const { seconds, coldAfterSeconds = 0 } of rules)
      expect(seconds ?? Number.POSITIVE_INFINITY).toBeGreaterThan(coldAfterSeconds);
  });
});

describe.each([
  ["as it is", {}],
  ["with the periods of a deployment", others],
])("the retention policy, %s,", (_what, periods) => {
  let api: Api;
  beforeAll(async () => {
    setPeriods(periods);
    api = await startApi();
  });
  afterAll(async () => {
    await api.close();
    setPeriods(secondsOf(usual));
  });

  it("has a row for everything that a session stores, and each item expires as its row says", async () => {
    const { post, patch, world } = api;
    const options = { headers: { "idempotency-key": "k" } };
    const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36).slice(2))
      .join("")
      .slice(0, 300_000);
    for (const id of ["hot", "cold", "gone", "reset"]) {
      await post("/v1/sessions", { id, ttl_seconds: id === "cold" ? 60 : 86_400 });
      await post(`/v1/sessions/${id}/messages`, { id: "m", role: "user", content: "x" });
      await post(`/v1/sessions/${id}/messages`, { role: "user", content: "y" });
    }
    await post(
      "/v1/sessions/hot/messages",
      { messages: Array.from({ length: 4 }, () => ({ role: "user", content: noise })) },
      options,
    );
    await post("/v1/sessions/hot/messages", { role: "user", content: "x", parent_id: "m" });
    await patch("/v1/sessions/hot", { title: "x" });
    await post("/v1/sessions/reset/reset");
    await api.del("/v1/sessions/gone");
    const file = { type: "file", data: "data:text/plain,kept" };
    await post("/v1/sessions/hot/messages", { role: "user", parts: [file] });
    await post("/v1/files", { filename: "a", media_type: "text/plain", bytes: 1 });
    await post("/v1/exports");
    await createExportWorld(api).deliver("ann");
    await api.get("/health", { user: null });
    await post("/v1/sessions", { id: "gone", ttl_seconds: 86_400 });
    world.advance(61_000);
    await world.archiveJob({ Records: [(await world.sweep("ann", "cold"))!] });

    const now = world.stores.clock() / 1000;
    const seen = new Set<string>();
    for (const table of ["conversations", "exports"] as const) {
      for await (const item of itemsOf(api.engines, table)) {
        const kind = kindOf(table, item);
        const rule = rules.find(({ place }) => "item" in place && place.item === kind);
        expect([item.pk, item.sk, rule?.record]).toEqual([item.pk, item.sk, expect.any(String)]);
        seen.add(kind!);
        const remaining = item.expires_at === undefined ? null : Number(item.expires_at) - now;
        if (rule?.seconds === null) expect([kind, remaining]).toEqual([kind, null]);
        else expect(remaining).toBeLessThanOrEqual(rule!.seconds!);
        // Of these, the test knows when they were written.
        if (["stub", "idempotency", "write-probe", "unused-file"].includes(kind!)) {
          expect([kind, rule!.seconds! - remaining!]).toEqual([kind, expect.toSatisfy((age: number) => age <= 62)]);
        }
      }
    }
    expect(seen.size).toBe(15);

    const { Contents = [] } = await api.engines.s3.send(new ListObjectsV2Command({ Bucket: api.engines.bucket }));
    expect(Contents).toHaveLength(3);
    for (const { Key = "" } of Contents) {
      expect(rules.filter(({ place }) => "object" in place && Key.startsWith(place.object))).toHaveLength(1);
    }
  });
});

/** All items of a table. */
async function* itemsOf({ dynamodb: client }: Api["engines"], TableName: string) {
  for await (const { Items = [] } of paginateScan({ client }, { TableName })) yield* Items;
}

/** All periods of a policy, by their names. */
function secondsOf(policy: Record<string, RetentionRule>): Periods {
  return Object.fromEntries(
    Object.entries(policy).flatMap(([name, { seconds, coldAfterSeconds }]) => [
      ...(seconds === null ? [] : [[name, seconds]]),
      ...(coldAfterSeconds === undefined ? [] : [[`${name}.cold`, coldAfterSeconds]]),
    ]),
  );
}
