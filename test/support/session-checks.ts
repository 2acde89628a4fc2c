/** What must hold of the session of a stage. */
import { hash } from "node:crypto";
import { serialize } from "node:v8";
import { expect } from "vitest";
import { AppError } from "../../shared/errors.ts";
import { showSession } from "../../shared/session/read-session.ts";
import { SESSION, type Stage } from "./session-stage.ts";

const HOUR = 3_600_000;

/** Gives "ok", or the code of the error that the work throws. */
export async function ok(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    // An internal error is a bug of the caller, in whatever order things happen.
    if (error instanceof AppError && error.code !== "internal") return error.code;
    throw error;
  }
}

/** What was said on all branches; `null` = there is no session. */
export async function contentsOf(stage: Stage): Promise<string[] | null> {
  return (await stage.messages("all"))?.map(({ content }) => content) ?? null;
}

/** The hashes of the states that were checked. */
const checked = new Set<string>();

/**
 * The session is consistent, now and after the reconciler has had its time. What follows depends on nothing but the state of the
 * stage, so a state that comes up again is not checked again: many meetings of two actors end in the same state.
 */
export async function expectSound(stage: Stage, what: string): Promise<void> {
  const state = hash("sha1", serialize(stage.save()));
  if (checked.has(state)) return;
  await expectConsistent(stage, what);
  await expectQuiet(stage, what);
  checked.add(state);
}

/** Nothing deleted is recalled, and the header and the parents agree with the messages. */
export async function expectConsistent(stage: Stage, what: string): Promise<void> {
  const all = await stage.messages("all");
  const current = (await stage.messages("current")) ?? [];
  const recalled = await stage.recalled();
  expect(
    recalled.filter((content) => !all?.some((message) => message.content === content)),
    `${what}: recalled although deleted`,
  ).toEqual([]);
  if (!all) return;
  const { message_count, head_id } = await showSession(stage.stores, SESSION);
  expect([message_count, head_id], `${what}: the header`).toEqual([all.length, current.at(-1)?.id]);
  const parents = current.map(({ parent_id }) => parent_id);
  expect(parents, `${what}: the current branch`).toEqual(
    [null, ...current.map(({ id }) => id)].slice(0, current.length),
  );
  const ids = new Set([null, ...all.map(({ id }) => id)]);
  expect(
    all.filter(({ parent_id }) => !ids.has(parent_id)),
    `${what}: no parent`,
  ).toEqual([]);
}

/** After the reconciler has had its time, nothing is left that should not be there, and everything is remembered. */
export async function expectQuiet(stage: Stage, what: string): Promise<void> {
  const before = await contentsOf(stage);
  for (let n = 0; n < 4; n++) {
    await stage.runReconciler();
    stage.advance(20 * 60_000);
    await stage.sweep();
    await stage.archive();
  }
  for (let n = 0; n < 3; n++) {
    stage.advance(2 * HOUR);
    await stage.runReconciler();
  }
  await stage.rememberAll();
  await expectConsistent(stage, what);
  const readable = await contentsOf(stage);
  expect(readable?.toSorted() ?? null, `${what}: later`).toEqual(before?.toSorted() ?? null);
  const current = (await stage.messages("current"))?.map(({ content }) => content) ?? [];
  expect((await stage.recalled()).toSorted(), `${what}: remembered`).toEqual(current.toSorted());

  const items = await stage.items();
  const kinds = Object.groupBy(items, ({ sk }) => String(sk).split("#")[0] ?? "");
  const hot = (kinds.M ?? []).map(({ content }) => String(content)).toSorted();
  if (!readable) {
    expect([items.map(({ sk }) => sk), stage.bucket.size()], `${what}: left of a deleted session`).toEqual([[], 0]);
    return;
  }
  const { status } = await showSession(stage.stores, SESSION);
  const stored = { D: kinds.D?.length ?? 0, hot, cold: stage.bucket.contents().toSorted() };
  const all = readable.toSorted();
  const expected = status === "active" ? { hot: all, cold: [] } : { hot: [], cold: all };
  expect(stored, `${what}: stored`).toEqual({ D: 0, ...expected });
  expect(await stage.stores.sessions.countActive(), `${what}: active`).toBe(status === "active" ? 1 : 0);
}
