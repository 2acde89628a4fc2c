import { symlinkSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { type Call, caller } from "../bench/support/caller.ts";
import { findMarks, markOf, readMark, userIdOf } from "../bench/support/find-marks.ts";
import { type HostProcess, startHostProcess } from "../bench/support/host-process.ts";
import { createOperator } from "../bench/support/operator.ts";
import { temporaryDirectory } from "../infra/local/fixture-assembly.ts";
import { withSharedAssembly } from "../support/shared-assembly.ts";

const { directory, remove } = temporaryDirectory();
const data = path.join(directory, "data");
/** Milliseconds after which no request that began before an erasure runs any more. */
const GRACE = 330_000;
const [ERASED, OTHER] = [1, 2];
const SESSIONS = 12;

let host: HostProcess | undefined;
afterAll(async () => {
  await host?.stop();
  remove();
});

async function start({ keep }: { keep: boolean }): Promise<HostProcess> {
  const { options, variables } = await withSharedAssembly();
  const started = await startHostProcess(data, variables, { keep, nodeOptions: options });
  // The operator looks up the names of functions there.
  if (!keep) symlinkSync(variables.TEST_ASSEMBLY ?? "", path.join(data, "cdk.out"));
  return started;
}

async function live(user: number): Promise<Call> {
  const call = await caller(host!, data, userIdOf(user));
  for (let n = 0; n < SESSIONS; n++) {
    const id = markOf(user, `session ${n}`);
    const parts = [{ type: "file", data: `data:text/plain,${markOf(user, "file")}` }];
    const messages = Array.from({ length: 20 }, () => ({ role: "user", content: markOf(user, "content") }));
    await call("POST", "/v1/sessions", { id, title: markOf(user, "title") });
    await call("POST", `/v1/sessions/${id}/messages`, { messages: [...messages, { role: "user", parts }] });
  }
  return call;
}

/** Kills the host while a run of the job has erased a part, and starts it again. */
async function killAndRestart(part: (operator: ReturnType<typeof createOperator>) => Promise<boolean>): Promise<void> {
  const operator = createOperator(host!, data);
  let isOver = false;
  const run = operator
    .run("jobs-erase")
    .catch(() => undefined)
    .finally(() => {
      isOver = true;
    });
  while (!isOver && !(await part(operator))) await sleep(5);
  await host!.kill();
  await run;
  operator.close();
  host = await start({ keep: true });
}

it("an erasure continues after kill -9 of the host in each of its stages, and leaves nothing of the user", {
  timeout: 900_000,
}, async () => {
  host = await start({ keep: false });
  let call = await live(ERASED);
  await live(OTHER);
  const [first, second] = [await call("POST", "/v1/erasures", {}), await call("POST", "/v1/erasures", {})];
  const { id } = first.body;
  expect(second.body.id).toBe(id);
  const receipt = async () => (await call("GET", `/v1/erasures/${id}`)).body;

  await killAndRestart(async (operator) => (await operator.erasures()).some(({ counts }) => counts !== "{}"));
  call = await caller(host, data, userIdOf(ERASED));
  expect((await receipt()).status).toBe("running");
  expect((await call("POST", "/v1/sessions", {}, { status: 409 })).body.code).toBe("being_erased");
  let operator = createOperator(host, data);
  // The killed worker holds it for two minutes.
  await operator.ageErasures(GRACE);
  await operator.freeErasures();
  await killAndRestart(async (at) => (await at.erasures()).some(({ stage }) => stage === "check"));
  call = await caller(host, data, userIdOf(ERASED));
  operator.close();
  operator = createOperator(host, data);
  await operator.freeErasures();
  for (let runs = 0; runs < 20 && (await receipt()).status === "running"; runs++) await operator.run("jobs-erase");
  const { status, stores } = await receipt();
  expect([status, stores.filter(({ remaining }: { remaining: number }) => remaining > 0)]).toEqual(["complete", []]);
  operator.close();
  await host.stop();

  const found = await findMarks(data);
  const places = ["items of tables", "indexes of tables", "keys of objects", "objects: other (files)", "queues"];
  const marks = places.flatMap((place) => [...(found.get(place) ?? new Map()).keys()]).map(readMark);
  const fieldsOf = (user: number) => new Set(marks.filter((mark) => mark.user === user).map(({ field }) => field));
  // The open erasure names the user until no signed URL can upload a file any more.
  expect(fieldsOf(ERASED)).toEqual(new Set(["id of the user"]));
  expect(fieldsOf(OTHER).size).toBe(SESSIONS + 4);
});
