import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { createRememberJob } from "../../functions/jobs/remember.ts";
import { type Api, startApi } from "../support/start-api.ts";

let api: Api;
beforeEach(async () => {
  await api?.close();
  api = await startApi();
});
afterAll(() => api.close());

const off = (user = "ann") => api.patch("/v1/settings", { memory: false }, { user });
const on = () => api.patch("/v1/settings", { memory: true });
const CAT = "My cat is called Momo.";
const DOG = "My dog is called Rex.";

describe("/v1/settings", () => {
  it("has memory switched on, until the user switches it off, and each user has their own", async () => {
    expect((await api.get("/v1/settings")).body).toEqual({ memory: true });
    expect(await off()).toMatchObject({ status: 200, body: { memory: false } });
    expect((await off()).status).toBe(200);
    expect((await api.get("/v1/settings")).body).toEqual({ memory: false });
    expect((await api.get("/v1/settings", { user: "bob" })).body).toEqual({ memory: true });
    expect((await on()).body).toEqual({ memory: true });
    expect((await api.get("/v1/settings")).body).toEqual({ memory: true });
  });

  it.each([
    [{}, "memory"],
    [{ memory: "no" }, "memory"],
    [{ memory: null }, "memory"],
    [{ memory: true, more: 1 }, "more"],
  ])("refuses %j and names %s", async (body, path) => {
    const { status, body: problem } = await api.patch("/v1/settings", body);
    expect([status, problem.errors[0].path]).toEqual([400, path]);
  });
});

describe("with memory switched off", () => {
  it("new messages do not become memories, and existing memories stay listed and searchable until they are deleted", async () => {
    await api.world.say("ann", "s", CAT);
    await api.world.deliver("ann", "s");
    await off();
    await api.world.say("ann", "s", DOG);
    await api.world.deliver("ann", "s");
    expect(await api.world.stored("ann", "s")).toEqual([CAT]);
    const found = (await api.post("/v1/memories/search", { query: "cat" })).body.data;
    expect(found.map(({ content }: { content: string }) => content)).toEqual([CAT]);
    expect((await api.del(`/v1/memories/${found[0].id}`)).status).toBe(204);
    expect((await api.get("/v1/memories")).body.data).toEqual([]);
  });

  it("messages from that time never become memories, and messages after it was switched on do", async () => {
    await off();
    await api.world.say("ann", "s", CAT);
    api.world.advance(1000);
    await on();
    await on();
    api.world.advance(1000);
    await api.world.say("ann", "s", DOG);
    await api.world.deliver("ann", "s");
    expect(await api.world.stored("ann", "s")).toEqual([DOG]);
  });

  it("a run that has begun before stores no memories, at whichever call memory is switched off", async () => {
    const { deps } = api.world;
    for (let n = 0, reached = true; reached; n++) {
      reached = false;
      const user = `user${n}`;
      await api.world.say(user, "s", CAT);
      const [record] = await api.world.records(user, "s");
      let calls = 0;
      const memories = new Proxy(deps.memories, {
        get:
          (target, name) =>
          async (...args: unknown[]) => {
            if (calls++ === n) {
              reached = true;
              await off(user);
            }
            return Reflect.get(target, name).apply(target, args);
          },
      });
      await createRememberJob({ ...deps, memories, stores: api.world.stores })({ Records: [record!] });
      if (reached) expect([n, await api.world.stored(user, "s")]).toEqual([n, []]);
      else expect(await api.world.stored(user, "s")).toEqual([CAT]);
    }
  });

  it("an agent's search by MCP finds nothing, and says why", async () => {
    await api.world.say("ann", "s", CAT);
    await api.world.deliver("ann", "s");
    const params = { name: "search_memories", arguments: { query: "cat" } };
    const search = async () =>
      (await api.post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params })).body.result;
    expect((await search()).structuredContent.memories).toHaveLength(1);
    await off();
    const result = await search();
    expect(result.isError).toBe(true);
    expect(result.content[0].text).toContain("switched memory off");
  });
});
