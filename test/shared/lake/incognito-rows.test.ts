import { afterAll, beforeAll, expect, it } from "vitest";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { createSession } from "../../../shared/session/create-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createLakeWorld, type LakeWorld } from "../../support/lake-world.ts";

let engines: Engines;
let lake: LakeWorld;
beforeAll(async () => {
  engines = await startEngines();
  lake = await createLakeWorld(engines);
});
afterAll(async () => {
  lake.close();
  await engines.close();
});

it("the lake has no row of an incognito session, before and after it has expired", async () => {
  const { world } = lake;
  const request = { seed: "a request", at: world.stores.clock() };
  const hidden = { id: "hidden", title: "secret", ttl_seconds: 60, incognito: true };
  await createSession(world.stores, "ann", hidden, request, 60);
  await appendMessages(world.stores, { user: "ann", id: "hidden" }, { role: "user", content: "secret" }, request);
  await lake.archived("ann", "shown", 1);
  const day = lake.day();
  const rows = () => lake.sql("SELECT session_id FROM messages UNION ALL SELECT session_id FROM session_summaries");
  await lake.build();
  expect(await rows()).toEqual([{ session_id: "shown" }, { session_id: "shown" }]);
  expect(await world.archiveJob({ Records: [(await world.sweep("ann", "hidden"))!] })).toEqual({
    batchItemFailures: [],
  });
  await lake.deliver();
  await lake.build();
  expect([lake.day(), await rows(), lake.errors]).toEqual([
    day,
    [{ session_id: "shown" }, { session_id: "shown" }],
    [],
  ]);
});
