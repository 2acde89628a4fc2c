import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createHousekeepingJob } from "../../../functions/jobs/housekeeping.ts";
import type { FunctionSpec } from "../../../infra/function-spec.ts";
import { functions } from "../../../infra/functions.ts";
import { parseSchedule } from "../../../infra/local/events/schedule-expression.ts";
import { RUNBOOK } from "../../../infra/stacks/observability.ts";
import { createArchivedDays } from "../../../shared/archive/archived-days.s3.ts";
import { hashId } from "../../../shared/hash.ts";
import { allowedSilence, type JobName } from "../../../shared/metrics/job-book.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let world: World;
const logged: Record<string, unknown>[] = [];
beforeAll(async () => {
  engines = await startEngines();
  world = createWorld(engines);
  const take = (line: unknown) => void logged.push(JSON.parse(String(line)));
  vi.spyOn(console, "log").mockImplementation(take);
  vi.spyOn(console, "error").mockImplementation(take);
  for (const id of ["one", "two/three"]) {
    await world.create("ann@example.com", id, 60, 3);
    world.advance(61_000);
    await world.archiveJob({ Records: [(await world.sweep("ann@example.com", id))!] });
  }
  await world.create("x".repeat(300), "long", 60, 1);
  world.advance(61_000);
  await world.archiveJob({ Records: [(await world.sweep("x".repeat(300), "long"))!] });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await engines.close();
});
beforeEach(() => void logged.splice(0));

const run = (remaining = 900_000) =>
  createHousekeepingJob({
    events: { hold: async () => 0 },
    store: { checkpoint: async () => null },
    archived: createArchivedDays(engines.s3, engines.bucket),
    sessions: world.stores.sessions,
    clock: world.stores.clock,
  })({}, { getRemainingTimeInMillis: () => remaining });

describe("the audit of the archive", () => {
  it("accepts the objects of sessions that are archived, restored or being archived", async () => {
    await world.create("ann@example.com", "four", 60, 1);
    world.advance(61_000);
    const record = (await world.sweep("ann@example.com", "four"))!;
    // The archiver crashes at each call in turn, until the object exists and the stub does not.
    for (let n = 0; (await world.cold("ann%40example.com", "four")).length === 0; n++) {
      await world.crashing(n, "before", () => world.archiveJob({ Records: [record] }));
    }
    expect(await world.stores.sessions.find({ user: "ann@example.com", id: "four" })).toBeNull();
    logged.splice(0);
    await run();
    expect(logged).toEqual([
      { level: "info", job: "housekeeping", events_held: 0, objects: 3, orphans: 0, complete: true },
    ]);
  });

  it("fails for objects of sessions that the table does not know, and logs them without their user", async () => {
    await world.drop("ann@example.com", "two/three");
    await expect(run()).rejects.toThrow("the table knows no session for 1 archive object");
    expect(logged[0]).toEqual({
      level: "error",
      job: "housekeeping",
      user: hashId("ann@example.com"),
      session: hashId("two/three"),
      day: "2026-11-21",
      message: "an archive object belongs to no session",
    });
    expect(JSON.stringify(logged)).not.toContain("example.com");
    // A session with the same id that was created on another day is another session.
    world.advance(24 * 3_600_000);
    await world.create("ann@example.com", "two/three", 60);
    await expect(run()).rejects.toThrow("the table knows no session for 1 archive object");
  });

  it("fails when time runs out before every object is checked", async () => {
    await expect(run(0)).rejects.toThrow("time ran out after 0 archive objects");
  });
});

describe("the schedules", () => {
  const schedules = (Object.entries(functions) as [string, FunctionSpec][]).flatMap(
    ([name, { trigger, metrics, timeout }]) =>
      trigger.kind === "schedule" ? [{ name, expression: trigger.expression, metrics, timeout }] : [],
  );
  const watched = schedules.filter(({ name }) => name !== "jobs-watch");

  it("are all watched, except the watch job itself, whose missing runs raise an alarm", () => {
    expect(watched.map(({ name }) => name).sort()).toEqual(Object.keys(allowedSilence).sort());
  });

  it.each(watched)(
    "$name can record its success, is late after more than its interval and its longest run, and is in the runbook",
    (job) => {
      expect(job.metrics).toContain("UpdateItem");
      const next = parseSchedule(job.expression);
      const first = next(new Date("2026-11-21T00:00:00.000Z"))!;
      const interval = next(first)!.getTime() - first.getTime();
      const longestRun = (job.timeout ?? 29) * 1000;
      const silence = allowedSilence[job.name as JobName];
      // A run records its success at its end.
      expect(silence).toBeGreaterThan(interval + longestRun);
      expect(silence).toBeLessThanOrEqual(4 * Math.max(interval, longestRun));
      expect(readFileSync(RUNBOOK, "utf8")).toMatch(
        new RegExp(`^(\\| ${job.name} \\||\`${job.name}\` has not finished)`, "m"),
      );
    },
  );
});
