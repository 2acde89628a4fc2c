import { expect, it } from "vitest";
import { AppError } from "../../../shared/errors.ts";
import { claimsOf } from "../../../shared/idempotency/claim.ts";
import type { Begun, IdempotencyStore } from "../../../shared/idempotency/idempotency-store.ts";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const MINE = "mine";
const OTHERS = { seed: "others", at: NOW - 1000 };

/** Claims of a request for which the store returns `begun`; `told` lists the calls of the store. */
function claims(begun: Begun) {
  const told: string[] = [];
  const store: IdempotencyStore = {
    begin: async (_user, _key, { lockedUntil }) => {
      told.push(`begin until ${lockedUntil - NOW}`);
      return begun;
    },
    finish: async (_user, _key, _seed, { status }) => void told.push(`finish ${status}`),
    release: async () => void told.push("release"),
  };
  const request = { user: "ann", key: "key", request: ["POST", "/"], remaining: 20_000 };
  return { told, ...claimsOf({ store, clock: () => NOW, newId: () => MINE }, request) };
}

const failure = new AppError("unavailable", "the model does not answer");
const refusal = new AppError("payload_too_large", "too long");

it("a request without a key always runs its own turn, and nothing is kept", async () => {
  const keyless = claimsOf(
    { store: {} as IdempotencyStore, clock: () => NOW, newId: () => MINE },
    { user: "ann", key: undefined, request: [], remaining: 0 },
  );
  expect(await keyless.claim()).toEqual({ kind: "first", identity: { seed: MINE, at: NOW } });
  await keyless.release(failure);
  await keyless.keep();
});

it.each([
  ["first", { seed: MINE, at: NOW }],
  ["taken", OTHERS],
] as const)(
  "the attempt that runs the turn (%s) holds the key a second longer than it may run",
  async (kind, identity) => {
    const turn = claims({ kind: "run", identity });
    expect(await turn.claim()).toEqual({ kind, identity });
    expect(turn.told).toEqual(["begin until 21000"]);
  },
);

it("the attempt that runs the turn releases the key once if it fails, and keeps a final refusal", async () => {
  const failed = claims({ kind: "run", identity: OTHERS });
  await failed.claim();
  await failed.release(failure);
  await failed.release(failure);
  expect(failed.told.slice(1)).toEqual(["release"]);
  const refused = claims({ kind: "run", identity: OTHERS });
  await refused.claim();
  await refused.release(refusal);
  expect(refused.told.slice(1)).toEqual(["finish 413"]);
});

it("an attempt that follows another one neither releases the key nor keeps anything", async () => {
  const turn = claims({ kind: "running", identity: OTHERS });
  expect(await turn.claim()).toEqual({ kind: "followed", identity: OTHERS });
  await turn.release(failure);
  await turn.release(refusal);
  await turn.keep();
  expect(turn.told.slice(1)).toEqual([]);
});

it("an attempt that has not claimed the turn releases nothing", async () => {
  const turn = claims({ kind: "run", identity: OTHERS });
  await turn.release(failure);
  expect(turn.told).toEqual([]);
});

it("a key of another request is refused", async () => {
  await expect(claims({ kind: "mismatch" }).claim()).rejects.toMatchObject({ code: "idempotency_mismatch" });
});

it("a kept refusal is returned again, and marked as a repeat", async () => {
  const body = JSON.stringify({
    code: "payload_too_large",
    detail: "too long",
    errors: [{ path: "content", message: "x" }],
  });
  const answer = { status: 413, headers: {}, body };
  await expect(claims({ kind: "answered", answer, identity: OTHERS }).claim()).rejects.toMatchObject({
    code: "payload_too_large",
    fields: [{ path: "content", message: "x" }],
    headers: { "idempotency-replayed": "true" },
  });
});
