import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReconcileJob } from "../../functions/jobs/reconcile.ts";
import { deleteMessage } from "../../shared/session/delete-message.ts";
import { type Api, pages, startApi } from "../support/start-api.ts";

let api: Api;
let names = 0;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** A session with the messages a, b, c, whose ids are these letters and the session's name. */
async function session(...letters: string[]): Promise<string> {
  const id = `branched-${names++}`;
  await api.post("/v1/sessions", { id, ttl_seconds: 1_000_000 });
  for (const letter of letters) await say(id, letter);
  return id;
}
async function say(id: string, letter: string, more: object = {}) {
  api.world.advance(1);
  return api.post(`/v1/sessions/${id}/messages`, { id: `${letter}-${id}`, role: "user", content: letter, ...more });
}
const under = (id: string, parent: string | null) => ({ parent_id: parent && `${parent}-${id}` });
const list = async (id: string, query = "") =>
  (await pages(api, `/v1/sessions/${id}/messages?limit=100${query}`)).flat();
const text = async (id: string, query = "") => (await list(id, query)).map(({ content }) => content).join("");
const get = async (id: string) => (await api.get(`/v1/sessions/${id}`)).body;
/** Every message of the session with its parent, as letters: "ab" = b follows a. */
async function tree(id: string): Promise<string> {
  const letter = (name: string | null) => name?.split("-")[0] ?? "";
  const all = await list(id, "&branch=all");
  return all.map((message) => letter(message.parent_id) + letter(message.id)).join(" ");
}

describe("a message with a parent_id", () => {
  it("that is the last message continues the conversation without a branch", async () => {
    const id = await session("a", "b");
    const { status, body } = await say(id, "c", under(id, "b"));
    expect([status, body.data[0].parent_id]).toEqual([201, `b-${id}`]);
    expect(await text(id)).toBe("abc");
    expect(await api.world.stores.messages.tree({ user: "ann", id }, 0)).toMatchObject({ branches: [{}] });
    expect((await get(id)).head_id).toBe(`c-${id}`);
  });

  it("that is an earlier message begins a branch, which becomes the current one", async () => {
    const id = await session("a", "b", "c");
    const { body } = await say(id, "B", under(id, "a"));
    expect(body.data[0]).toMatchObject({ content: "B", parent_id: `a-${id}` });
    await say(id, "C");
    expect(await text(id)).toBe("aBC");
    expect(await text(id, "&branch=current&order=desc")).toBe("CBa");
    expect(await text(id, "&branch=all")).toBe("abcBC");
    expect(await text(id, `&branch=c-${id}`)).toBe("abc");
    expect(await text(id, `&branch=B-${id}&order=desc`)).toBe("Ba");
    expect(await tree(id)).toBe("a ab bc aB BC");
    expect(await get(id)).toMatchObject({ message_count: 5, head_id: `C-${id}` });
  });

  it("that is null begins the conversation again", async () => {
    const id = await session("a", "b");
    expect((await say(id, "A", under(id, null))).body.data[0].parent_id).toBeNull();
    await say(id, "B");
    expect([await text(id), await tree(id)]).toEqual(["AB", "a ab A AB"]);
    const empty = await session();
    expect((await say(empty, "x", under(empty, null))).body.data[0].parent_id).toBeNull();
    expect(await text(empty)).toBe("x");
  });

  it("can be an id from the server, also of a message whose time the client chose", async () => {
    const id = await session("a");
    const times = ["2026-11-21T13:00:00.000Z", "2026-11-21T13:00:01.000Z"];
    const { body } = await api.post(`/v1/sessions/${id}/messages`, {
      messages: [
        { role: "user", content: "b" },
        ...times.map((created_at) => ({ role: "user", content: "c", created_at })),
      ],
    });
    for (const parent of body.data.slice(0, 2)) {
      const answer = await api.post(`/v1/sessions/${id}/messages`, {
        role: "user",
        content: "x",
        parent_id: parent.id,
      });
      expect([answer.status, answer.body.data?.[0].parent_id]).toEqual([201, parent.id]);
      const [last] = answer.body.data;
      expect((await list(id)).at(-1)).toEqual(last);
    }
  });

  it("can be used in a batch, also for messages of the same batch", async () => {
    const id = await session("a", "b");
    const message = (letter: string, parent?: string) => ({
      id: `${letter}-${id}`,
      role: "user",
      content: letter,
      ...(parent === undefined ? {} : under(id, parent)),
    });
    api.world.advance(1);
    const { status, body } = await api.post(`/v1/sessions/${id}/messages`, {
      messages: [message("c", "a"), message("d"), message("e", "c"), message("f"), message("g", "f")],
    });
    expect(status).toBe(201);
    expect(await tree(id)).toBe("a ab ac cd ce ef fg");
    expect(await text(id)).toBe("acefg");
    expect(body.data).toEqual((await list(id, "&branch=all")).slice(2));
    expect(await get(id)).toMatchObject({ message_count: 7, head_id: `g-${id}` });
  });

  it("fills several transactions with a batch that branches", async () => {
    const id = await session("a", "b");
    api.world.advance(1);
    const messages = Array.from({ length: 100 }, (_, n) => ({
      id: `${n}-${id}`,
      role: "user",
      content: `${n}.`,
      ...(n % 40 === 0 ? under(id, "a") : {}),
    }));
    const { status, body } = await api.post(`/v1/sessions/${id}/messages`, { messages });
    expect(status).toBe(201);
    expect(body.data.map((message: { parent_id: string }) => message.parent_id)).toEqual(
      messages.map((_, n) => (n % 40 === 0 ? `a-${id}` : `${n - 1}-${id}`)),
    );
    expect(await list(id, "&branch=all")).toHaveLength(102);
    expect(await text(id)).toBe(
      `a${messages
        .slice(80)
        .map(({ content }) => content)
        .join("")}`,
    );
    expect(await get(id)).toMatchObject({ message_count: 102, head_id: `99-${id}` });
  });

  it("is not stored again when its id exists, and begins no branch", async () => {
    const id = await session("a", "b", "c");
    const first = await say(id, "B", under(id, "a"));
    expect((await say(id, "B", under(id, "a"))).body).toEqual(first.body);
    expect((await say(id, "b", under(id, "c"))).body.data[0]).toMatchObject({ parent_id: `a-${id}` });
    expect(await tree(id)).toBe("a ab bc aB");
  });

  it("is optional: on a branch, a message with a chosen time before the head is refused unless it is stored already", async () => {
    const id = await session("a", "b");
    await say(id, "B", under(id, "a"));
    const created_at = "2001-02-03T04:05:06.000Z";
    const { status, body } = await say(id, "old", { created_at });
    expect([status, body.errors]).toEqual([
      400,
      [{ path: "created_at", message: expect.stringContaining("the time of the message that it follows") }],
    ]);
    const repeated = await say(id, "a", { created_at });
    expect([repeated.status, repeated.body.data[0].content]).toEqual([201, "a"]);
    expect(await tree(id)).toBe("a ab aB");
  });

  it("comes after its parent, also when the server's clock is behind", async () => {
    const id = await session("a");
    await say(id, "b", { created_at: "2026-11-22T10:00:00.000Z" });
    const { body } = await say(id, "c", under(id, "b"));
    expect(body.data[0].created_at).toBe("2026-11-22T10:00:00.001Z");
    expect(await tree(id)).toBe("a ab bc");
    const early = await say(id, "d", { ...under(id, "c"), created_at: "2026-11-22T09:00:00.000Z" });
    expect([early.status, early.body.errors[0].path]).toEqual([400, "created_at"]);
  });

  it("a repeat with the same Idempotency-Key gives the same answer, and one branch", async () => {
    const id = await session("a", "b");
    const body = { role: "user", content: "B", ...under(id, "a") };
    const call = () => api.post(`/v1/sessions/${id}/messages`, body, { headers: { "idempotency-key": `key-${id}` } });
    api.world.advance(1);
    const first = await call();
    expect((await call()).body).toEqual(first.body);
    expect(first.body.data[0].parent_id).toBe(`a-${id}`);
    expect(await text(id, "&branch=all")).toBe("abB");
  });
});

describe("two edits of the same message at the same time", () => {
  it("make two branches, one of which is current", async () => {
    const id = await session("a", "b", "c");
    api.world.advance(1);
    const edit = (content: string) =>
      api.post(`/v1/sessions/${id}/messages`, { id: `${content}-${id}`, role: "user", content, ...under(id, "a") });
    const answers = await Promise.all(["B", "D", "E"].map(edit));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect((await tree(id)).split(" ").sort()).toEqual(["a", "aB", "aD", "aE", "ab", "bc"]);
    expect(await text(id)).toMatch(/^a[BDE]$/);
  });

  it("do not move appends without a parent_id, which all stay on the current branch", async () => {
    const id = await session("a", "b", "c");
    await say(id, "B", under(id, "a"));
    const appended = await Promise.all(["v", "w", "x", "y"].map((letter) => say(id, letter)));
    expect(appended.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect([...(await text(id))].sort().join("")).toBe("Bavwxy");
  });
});

describe("listing branches", () => {
  it("in pages returns every message once with its parent, in every order and on every branch", async () => {
    const id = await session("a", "b", "c", "d");
    await say(id, "C", under(id, "b"));
    for (const letter of ["D", "E", "F"]) await say(id, letter);
    await say(id, "y", under(id, "D"));
    for (const branch of ["current", "all", `d-${id}`, `F-${id}`]) {
      const whole = await list(id, `&branch=${branch}`);
      for (const order of ["asc", "desc"]) {
        for (const limit of [1, 2, 3]) {
          const query = `/v1/sessions/${id}/messages?branch=${branch}&order=${order}&limit=${limit}`;
          const paged = (await pages(api, query)).flat();
          expect(order === "asc" ? paged : paged.reverse()).toEqual(whole);
        }
      }
      for (const message of whole) {
        const from = await list(id, `&branch=${branch}&from=${message.created_at}`);
        expect(from).toEqual(whole.slice(whole.indexOf(message)));
      }
    }
  });

  it("stays on the branch of the first page when another one becomes current", async () => {
    const id = await session("a", "b", "c");
    const query = `/v1/sessions/${id}/messages?limit=2`;
    const first = (await api.get(query)).body;
    await say(id, "B", under(id, "a"));
    const second = (await api.get(`${query}&cursor=${first.next_cursor}`)).body;
    expect([...first.data, ...second.data].map(({ content }) => content).join("")).toBe("abc");
  });

  it("shows a running append of another request on its own branch only", async () => {
    const [id, other] = [await session("a", "b"), await session("a", "b")];
    await say(id, "B", under(id, "a"));
    expect([await text(id), await text(other)]).toEqual(["aB", "ab"]);
  });
});

describe("PATCH with head_id", () => {
  const patch = (id: string, head: string, headers = {}) =>
    api.patch(`/v1/sessions/${id}`, { head_id: `${head}-${id}` }, { headers });

  it("makes the branch that ends with the message current, and the session continues there", async () => {
    const id = await session("a", "b", "c");
    await say(id, "B", under(id, "a"));
    const { status, body } = await patch(id, "c");
    expect([status, body.head_id]).toEqual([200, `c-${id}`]);
    expect(await text(id)).toBe("abc");
    await say(id, "d");
    expect([await text(id), await tree(id)]).toEqual(["abcd", "a ab bc aB cd"]);
    expect((await patch(id, "B")).body.head_id).toBe(`B-${id}`);
    expect(await text(id)).toBe("aB");
  });

  it("of a message in the middle shows the conversation up to it, and keeps what follows as another branch", async () => {
    const id = await session("a", "b", "c");
    expect((await patch(id, "b")).body.head_id).toBe(`b-${id}`);
    expect([await text(id), await text(id, "&branch=all"), (await get(id)).head_id]).toEqual(["ab", "abc", `b-${id}`]);
    expect((await patch(id, "a")).body.head_id).toBe(`a-${id}`);
    await say(id, "B");
    expect([await text(id), await tree(id)]).toEqual(["aB", "a ab bc aB"]);
    expect((await patch(id, "c")).body.head_id).toBe(`c-${id}`);
    expect(await text(id)).toBe("abc");
  });

  it("needs no new branch for each switch between messages in the middle", async () => {
    const id = await session("a", "b", "c");
    for (const head of ["a", "b", "a", "b", "a"]) await patch(id, head);
    const { generation } = (await api.world.stores.sessions.find({ user: "ann", id }))!;
    expect((await api.world.stores.messages.tree({ user: "ann", id }, generation)).branches).toHaveLength(2);
  });

  it("of the head changes nothing but the session's activity, and works with other fields and If-Match", async () => {
    const id = await session("a", "b");
    const { headers } = await api.get(`/v1/sessions/${id}`);
    const both = await api.patch(
      `/v1/sessions/${id}`,
      { head_id: `b-${id}`, title: "t" },
      { headers: { "if-match": headers.etag! } },
    );
    expect(both).toMatchObject({ status: 200, body: { head_id: `b-${id}`, title: "t" } });
    expect((await patch(id, "a", { "if-match": headers.etag! })).status).toBe(412);
    expect(await text(id)).toBe("ab");
  });

  it("restores an archived session, because its archive stores the current branch", async () => {
    const id = await session("a", "b");
    await say(id, "B", under(id, "a"));
    api.world.advance(1_000_001_000);
    const record = await api.world.sweep("ann", id);
    await api.world.archiveJob({ Records: [record!] });
    expect((await get(id)).status).toBe("archived");
    expect((await api.patch(`/v1/sessions/${id}`, { head_id: "none" })).body.errors[0].path).toBe("head_id");
    expect((await get(id)).status).toBe("archived");
    expect((await patch(id, "b")).body).toMatchObject({ status: "active", head_id: `b-${id}`, message_count: 3 });
    expect([await text(id), await tree(id)]).toEqual(["ab", "a ab aB"]);
  });
});

describe("an archived session", () => {
  it("keeps its branches, can be read by them, and is restored with them", async () => {
    const id = await session("a", "b", "c", "d");
    await say(id, "C", under(id, "b"));
    await say(id, "D");
    await api.patch(`/v1/sessions/${id}`, { head_id: `C-${id}` });
    const before = {
      all: await list(id, "&branch=all"),
      current: await list(id),
      c: await list(id, `&branch=c-${id}`),
    };
    const { head_id } = await get(id);
    api.world.advance(1_000_001_000);
    const record = await api.world.sweep("ann", id);
    for (const state of ["limbo", "archived", "active"]) {
      if (state === "archived") await api.world.archiveJob({ Records: [record!] });
      if (state === "active") await api.post(`/v1/sessions/${id}/restore`);
      expect(await get(id)).toMatchObject({ head_id, message_count: 6 });
      expect(await list(id, "&branch=all")).toEqual(before.all);
      expect(await list(id)).toEqual(before.current);
      expect(await list(id, `&branch=c-${id}`)).toEqual(before.c);
      for (const branch of ["all", "current"]) {
        const query = `/v1/sessions/${id}/messages?limit=1&branch=${branch}`;
        const whole = branch === "all" ? before.all : before.current;
        expect((await pages(api, query)).flat()).toEqual(whole);
        expect((await pages(api, `${query}&order=desc`)).flat().reverse()).toEqual(whole);
      }
    }
    await say(id, "E");
    expect(await text(id)).toBe("abCE");
    await api.post(`/v1/sessions/${id}/reset`);
    expect(await get(id)).toMatchObject({ head_id: null, message_count: 0 });
    await say(id, "z");
    expect([await text(id), await tree(id)]).toEqual(["z", "z"]);
  });
});

describe("ids of messages that the session does not have are refused", () => {
  it.each([
    [
      "parent_id",
      (id: string, name: string) =>
        api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x", parent_id: name }),
    ],
    [
      "messages.1.parent_id",
      (id: string, name: string) => {
        const message = { role: "user", content: "x" };
        return api.post(`/v1/sessions/${id}/messages`, { messages: [message, { ...message, parent_id: name }] });
      },
    ],
    ["head_id", (id: string, name: string) => api.patch(`/v1/sessions/${id}`, { head_id: name })],
    ["branch", (id: string, name: string) => api.get(`/v1/sessions/${id}/messages?branch=${name}`)],
  ] as const)("in %s", async (path, call) => {
    const [id, other] = [await session("a", "b"), await session("x")];
    const [{ id: made }] = (await api.post(`/v1/sessions/${other}/messages`, { role: "user", content: "y" })).body.data;
    const before = await get(id);
    for (const name of [
      "none",
      `x-${other}`,
      made,
      "019aa2f4-7a30-7c64-9c6b-0d8f5f1f9a51",
      "ffffffff-ffff-7fff-bfff-ffffffffffff",
    ]) {
      const { status, body } = await call(id, name);
      expect([name, status, body.code, body.errors?.[0].path]).toEqual([name, 400, "validation_failed", path]);
    }
    for (const name of ["a b", "", "x".repeat(129)]) expect((await call(id, name)).status).toBe(400);
    expect([await get(id), await text(id, "&branch=all")]).toEqual([before, "ab"]);
    expect((await call("no-such-session", "none")).status).toBe(404);
  });

  it.each([7, {}, [], true])("parent_id and head_id of %j", async (value) => {
    const id = await session("a");
    const append = await api.post(`/v1/sessions/${id}/messages`, { role: "user", content: "x", parent_id: value });
    const patch = await api.patch(`/v1/sessions/${id}`, { head_id: value });
    expect([append.body.errors[0].path, patch.body.errors[0].path]).toEqual(["parent_id", "head_id"]);
    expect((await api.patch(`/v1/sessions/${id}`, { head_id: null })).status).toBe(400);
  });
});

describe("DELETE of a message", () => {
  const del = (id: string, letter: string) => api.del(`/v1/sessions/${id}/messages/${letter}-${id}`);
  const stored = async (id: string) => (await api.world.hot("ann", id)).sort().join("");

  it("deletes it and all that follow it, and the head moves to its parent", async () => {
    const id = await session("a", "b", "c", "d");
    expect((await del(id, "c")).status).toBe(204);
    expect([await text(id), await text(id, "&branch=all"), await stored(id)]).toEqual(["ab", "ab", "ab"]);
    expect(await get(id)).toMatchObject({ message_count: 2, head_id: `b-${id}` });
    expect((await del(id, "c")).status).toBe(404);
    await say(id, "e");
    expect([await text(id), await tree(id)]).toEqual(["abe", "a ab be"]);
    expect((await del(id, "e")).status).toBe(204);
    expect((await say(id, "c")).body.data[0].parent_id).toBe(`b-${id}`);
    expect(await get(id)).toMatchObject({ message_count: 3, head_id: `c-${id}` });
  });

  it("deletes the branches that begin after it, and does not change the others", async () => {
    const id = await session("a", "b", "c", "d");
    await say(id, "C", under(id, "b"));
    await say(id, "D");
    await say(id, "x", under(id, "C"));
    await say(id, "B", under(id, "a"));
    expect((await del(id, "C")).status).toBe(204);
    expect([await text(id), await tree(id), await stored(id)]).toEqual(["aB", "a ab bc cd aB", "Babcd"]);
    expect(await get(id)).toMatchObject({ message_count: 5, head_id: `B-${id}` });
    expect((await del(id, "b")).status).toBe(204);
    expect([await tree(id), (await get(id)).message_count]).toEqual(["a aB", 2]);
    expect((await api.patch(`/v1/sessions/${id}`, { head_id: `a-${id}` })).body.head_id).toBe(`a-${id}`);
    await say(id, "z");
    expect([await text(id), await tree(id)]).toEqual(["az", "a aB az"]);
  });

  it("of the first message empties the session", async () => {
    const id = await session("a", "b");
    await say(id, "B", under(id, "a"));
    expect((await del(id, "a")).status).toBe(204);
    expect([await text(id, "&branch=all"), await stored(id)]).toEqual(["", ""]);
    expect(await get(id)).toMatchObject({ message_count: 0, head_id: null });
    await say(id, "z");
    expect([await text(id), await tree(id), (await get(id)).head_id]).toEqual(["z", "z", `z-${id}`]);
  });

  it("restores an archived session, and is archived again without what was deleted", async () => {
    const id = await session("a", "b", "c");
    const archive = async () => {
      api.world.advance(1_000_001_000);
      const record = await api.world.sweep("ann", id);
      await api.world.archiveJob({ Records: [record!] });
    };
    await archive();
    expect((await api.del(`/v1/sessions/${id}/messages/none`)).status).toBe(404);
    expect((await get(id)).status).toBe("archived");
    expect((await del(id, "b")).status).toBe(204);
    expect([await text(id), (await get(id)).status]).toEqual(["a", "active"]);
    await archive();
    expect(await api.world.cold("ann", id)).toEqual(["a"]);
    expect([await text(id), (await get(id)).message_count]).toEqual(["a", 1]);
  });

  it("is not found for another user, another session or another id", async () => {
    const [id, other] = [await session("a"), await session("x")];
    for (const path of [`${id}/messages/x-${other}`, `${id}/messages/none`, `none/messages/a-${id}`]) {
      expect((await api.del(`/v1/sessions/${path}`)).status).toBe(404);
    }
    expect((await api.del(`/v1/sessions/${id}/messages/a-${id}`, { user: "bob" })).status).toBe(404);
    expect(await text(id)).toBe("a");
  });

  it("that is interrupted at any call is finished by the reconciler or by another DELETE", async () => {
    for (const kind of ["before", "after"] as const) {
      for (let step = 0; ; step++) {
        const id = await session("a", "b", "c");
        await say(id, "C", under(id, "b"));
        const { stores } = api.world;
        const remove = () => deleteMessage(stores, { user: "ann", id }, `b-${id}`);
        const crashed = await api.world.crashing(step, kind, remove);
        await remove().catch((error) => expect(error).toMatchObject({ code: "not_found" }));
        await createReconcileJob(stores)({}, { getRemainingTimeInMillis: () => 600_000 });
        api.world.advance(16 * 60_000);
        await createReconcileJob(stores)({}, { getRemainingTimeInMillis: () => 600_000 });
        expect([step, await text(id, "&branch=all"), await stored(id)]).toEqual([step, "a", "a"]);
        expect(await get(id)).toMatchObject({ message_count: 1, head_id: `a-${id}` });
        await api.world.drop("ann", id);
        if (!crashed) break;
      }
    }
  }, 120_000);

  it("can meet an append at any call: the new message then follows the parent, or is deleted too", async () => {
    const calls = await api.world.counting(async () => {
      const id = await session("a", "b");
      await deleteMessage(api.world.stores, { user: "ann", id }, `b-${id}`);
    });
    for (let n = 0; n < calls; n++) {
      const id = await session("a", "b", "c");
      const [deleted, appended] = await Promise.all([del(id, "b"), say(id, "d"), say(id, "D", under(id, "a"))]);
      expect([deleted.status, appended.status]).toEqual([204, 201]);
      const all = await text(id, "&branch=all");
      expect((await get(id)).message_count).toBe(all.length);
      expect([all.includes("b"), all.includes("D")]).toEqual([false, true]);
    }
  });
});
