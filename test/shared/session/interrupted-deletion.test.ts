/** The function that deletes a message stops at any of its calls: whatever happens to the session next, nothing of the message stays. */
import { describe, expect, it, vi } from "vitest";
import { filesPartition } from "../../../shared/dynamodb/keys.ts";
import { appendMessages } from "../../../shared/session/append-messages.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { contentsOf, expectQuiet, ok } from "../../support/session-checks.ts";
import { createStage, SESSION, type Stage, TTL } from "../../support/session-stage.ts";

vi.spyOn(console, "log").mockImplementation(() => undefined);

const dataUrl = (text: string) => `data:text/plain,${text}`;

/** A session of three messages with a file each, and an edit of the second one. */
async function createWithFiles(): Promise<Stage> {
  const stage = createStage();
  await stage.create();
  for (const [id, parent_id] of [["a"], ["b"], ["c"], ["B", "a"]] as const) {
    stage.advance(1);
    const parts = [
      { type: "text" as const, text: `lantern ${id}` },
      { type: "file" as const, data: dataUrl(id) },
    ];
    const message = { id, role: "user" as const, parts, ...(parent_id ? { parent_id } : {}) };
    await appendMessages(stage.stores, SESSION, [message], { seed: id, at: stage.stores.clock() });
  }
  await stage.rememberAll();
  return stage;
}

const fileContents = ({ files }: Stage): string[] =>
  [...files.values()].map((each) => String(Buffer.from(each))).sort();
// The item of a deleted file stays for some time: DynamoDB's TTL deletes it.
const filesOf = async (stage: Stage) =>
  (await stage.items(filesPartition(SESSION.user))).filter(({ expires_at }) => expires_at === undefined).length;
/** A deletion whose function is stopped right after its write, so that nothing is cleaned up. */
async function stopAfterWrite({ stores }: Stage, id: string): Promise<void> {
  const forgetMessages = () => Promise.reject(new Error("the function was stopped"));
  await deleteMessage({ ...stores, memories: { ...stores.memories, forgetMessages } }, SESSION, id).catch(
    () => undefined,
  );
}
const letters = async (stage: Stage) => (await contentsOf(stage))?.map((content) => content.replace("lantern ", ""));
const expire = async (stage: Stage): Promise<void> => {
  stage.advance((TTL + 1) * 1000);
  await stage.sweep();
};

/** What happens to the session before the reconciler comes. */
const NEXT: Record<string, (stage: Stage) => Promise<void>> = {
  nothing: async () => undefined,
  "the archiver": async (stage) => {
    await expire(stage);
    await stage.archive();
  },
  "the archiver, and a restore": async (stage) => {
    await NEXT["the archiver"]?.(stage);
    await stage.operations.restore();
  },
  "a restore before DynamoDB's TTL": async (stage) => {
    stage.advance((TTL + 1) * 1000);
    await stage.operations.restore();
  },
  "a restore before the archiver": async (stage) => {
    await expire(stage);
    await stage.operations.restore();
  },
  "an append": (stage) => stage.operations.append(),
  "a patch": (stage) => stage.operations.patch(),
  "a reset": (stage) => stage.operations.reset(),
  "a deletion of the session": (stage) => stage.operations.delete(),
  "a repeat": async (stage) => void (await ok(() => deleteMessage(stage.stores, SESSION, "b"))),
};

/** Requests that set when the reconciler looks at the session again, and the session that each of them needs. */
const RESCHEDULING: Record<string, (stage: Stage) => Promise<() => Promise<unknown>>> = {
  "a change of the lifetime":
    async ({ stores }) =>
    () =>
      patchSession(stores, SESSION, { ttl_seconds: 100_000 }, undefined),
  "a change of the lifetime beside many writes": async ({ stores }) => {
    // Then the header's version is no condition any more.
    const sessions = { ...stores.sessions, transit: async () => false };
    return () => patchSession({ ...stores, sessions }, SESSION, { ttl_seconds: 100_000 }, undefined);
  },
  "a restore of an expired session": async (stage) => {
    stage.advance((TTL + 1) * 1000);
    return stage.operations.restore;
  },
  "a restore of an archived session": async (stage) => {
    await NEXT["the archiver"]?.(stage);
    return stage.operations.restore;
  },
  "a reconciliation": async (stage) => {
    stage.advance(16 * 60_000);
    return stage.runReconciler;
  },
};

describe("when the function that deletes a message is stopped at any call", () => {
  it.each(Object.keys(NEXT))("no message, memory or file stays after: %s", async (next) => {
    for (let n = 0, isStopped = true; isStopped; n++) {
      const stage = await createWithFiles();
      isStopped = await stage.stopped(n, () => deleteMessage(stage.stores, SESSION, "b"));
      await NEXT[next]?.(stage);
      const left = (await letters(stage)) ?? [];
      // What was deleted before the archiver wrote its stub is gone at once.
      if (next.includes("archiver")) expect([n, fileContents(stage)]).toEqual([n, left.toSorted()]);
      await expectQuiet(stage, `${next} after call ${n}`);
      const kept = left.filter((one) => one.length === 1).toSorted();
      expect([n, fileContents(stage), await filesOf(stage)]).toEqual([n, kept, kept.length]);
      if (!isStopped) expect(left).not.toContain("b");
    }
  });

  it.each(["b", "B"])(
    "the reconciler checks a session again if a deletion of %s came during its cleanup",
    async (second) => {
      const first = second === "b" ? "B" : "b";
      for (let n = 0, isReached = true; isReached; n++) {
        const stage = await createWithFiles();
        await stopAfterWrite(stage, first);
        stage.advance(16 * 60_000);
        await stage.operations.restore();
        isReached = (await stage.interleaved(n, stage.runReconciler, () => stopAfterWrite(stage, second))) !== null;
        await expectQuiet(stage, `call ${n}`);
        const kept = isReached ? ["a"] : ["a", second, ...(second === "b" ? ["c"] : [])].toSorted();
        expect([n, fileContents(stage)]).toEqual([n, kept]);
      }
    },
  );

  it.each(Object.keys(RESCHEDULING))(
    "the reconciler checks a session soon if a deletion came during another request: %s",
    async (name) => {
      for (let n = 0; ; n++) {
        const stage = await createWithFiles();
        const act = await RESCHEDULING[name]?.(stage);
        if (!act || !(await stage.interleaved(n, act, () => stopAfterWrite(stage, "b")))) break;
        stage.advance(16 * 60_000);
        await stage.runReconciler();
        expect([n, fileContents(stage)]).toEqual([n, ["B", "a"]]);
      }
    },
  );

  it("a restore that is not interrupted needs no early check, also of a session with branches", async () => {
    const stage = await createWithFiles();
    await NEXT["the archiver"]?.(stage);
    stage.advance(16 * 60_000);
    await stage.runReconciler();
    await stage.operations.restore();
    expect(await stage.stores.sessions.findAnchor(SESSION)).toMatchObject({ cleanup: false });
  });
});
