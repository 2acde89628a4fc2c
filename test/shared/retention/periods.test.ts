import { describe, expect, it } from "vitest";
import { parsePeriods, setPeriods, withPeriods } from "../../../shared/retention/periods.ts";
import { retention, upkeep } from "../../../shared/retention/policy.ts";
import { DAY } from "../../../shared/retention/rule.ts";

describe("the periods of a deployment", () => {
  it("are read in seconds, minutes, hours, days and weeks", () => {
    const texts = {
      idempotency: "900s",
      liveText: "20m",
      unusedFile: "3h",
      archive: "400d",
      "archive.cold": "5w",
      recovery: "14d",
    };
    expect(parsePeriods(texts)).toEqual({
      idempotency: 900,
      liveText: 1200,
      unusedFile: 3 * 3600,
      archive: 400 * DAY,
      "archive.cold": 35 * DAY,
      recovery: 14 * DAY,
    });
    expect(parsePeriods({})).toEqual({});
  });

  it.each([
    [
      { archives: "90d" },
      /retention\.archives does not exist\. The periods are session, .*archive, archive\.cold.*recovery/,
    ],
    [{ constructor: "90d" }, /retention\.constructor does not exist/],
    [{ message: "90d" }, /retention\.message cannot be set: no timer deletes this record\. Deleted by the archiver/],
    [{ stub: "90d" }, /retention\.stub cannot be set: it is always that of archive/],
    [{ "lakeMessages.cold": "90d" }, /retention\.lakeMessages\.cold does not exist/],
    [{ archive: "90" }, /retention\.archive must be a whole number with its unit s, m, h, d or w, such as 90d, not 90/],
    [{ archive: "-90d" }, /not -90d/],
    [{ archive: "1.5d" }, /not 1\.5d/],
    [{ archive: "90 d" }, /not 90 d/],
    [{ archive: true }, /not true/],
    [{ archive: "2161h" }, /retention\.archive must be whole days, not 2161h/],
    [{ archive: "0d" }, /retention\.archive must be at least 1d, not 0d/],
    [{ rawMetric: "1h" }, /retention\.rawMetric must be at least 1d, not 1h/],
    [{ audit: "1d" }, /retention\.audit must be at least 30d, not 1d/],
    [{ recovery: "36d" }, /retention\.recovery must be at most 35d, not 36d/],
    [{ deadLetters: "15d" }, /retention\.deadLetters must be at most 14d, not 15d/],
    [{ archive: "179d" }, /retention\.archive \(179d\) must not be shorter than lakeMessages \(180d\)/],
    [{ session: "400d" }, /retention\.archive \(365d\) must not be shorter than session \(400d\)/],
    [{ rawMetric: "91d" }, /retention\.hourlyAggregate \(90d\) must not be shorter than rawMetric \(91d\)/],
    [{ dailyAggregate: "80d" }, /retention\.dailyAggregate \(80d\) must not be shorter than hourlyAggregate \(90d\)/],
    [{ lakeEvents: "364d" }, /retention\.lakeEvents \(364d\) must not be shorter than event \(365d\)/],
    [{ "archive.cold": "365d" }, /retention\.archive\.cold \(365d\) must be shorter than archive \(365d\)/],
  ])("are refused when they are wrong: %j", (texts, why) => {
    expect(() => parsePeriods(texts)).toThrow(why);
  });

  it("are refused with all errors, one per line", () => {
    expect(() => parsePeriods({ archive: "x", evnt: "3d" })).toThrow(/\nretention\.archive .*\nretention\.evnt /);
  });

  it("may change several tiers at once, each measured by the new ones", () => {
    expect(parsePeriods({ lakeMessages: "30d", archive: "31d", "archive.cold": "30d" })).toMatchObject({
      archive: 31 * DAY,
    });
  });

  it("can be set for every record that expires and for upkeep, and reach the functions of a deployment", () => {
    const before = structuredClone({ retention, upkeep });
    const rows: [string, { seconds: number | null; sameAs?: string }][] = Object.entries(retention);
    const timed = rows.filter(([, { seconds, sameAs }]) => seconds !== null && !sameAs).map(([name]) => name);
    const most = new Set(["recovery", "deadLetters"]);
    const texts = Object.fromEntries(
      [...timed, ...Object.keys(upkeep)].map((name) => [name, most.has(name) ? "13d" : "800d"]),
    );
    setPeriods(parsePeriods(texts));
    for (const [name, { seconds }] of rows) expect([name, seconds]).toEqual([name, seconds && 800 * DAY]);
    expect(upkeep).toEqual({
      recovery: 13 * DAY,
      deadLetters: 13 * DAY,
      queryResults: 800 * DAY,
      accessLogs: 800 * DAY,
    });
    for (const [name, rule] of Object.entries(before.retention)) Object.assign(retention[name as "archive"], rule);
    Object.assign(upkeep, before.upkeep);
  });

  it("give a policy in which only they differ, and change nothing in the policy itself", () => {
    const before = structuredClone({ retention, upkeep });
    const policy = withPeriods({ archive: 400 * DAY, "archive.cold": 3 * DAY, deadLetters: DAY });
    const { archive, stub } = before.retention;
    expect(policy.retention).toEqual({
      ...before.retention,
      archive: { ...archive, seconds: 400 * DAY, coldAfterSeconds: 3 * DAY },
      stub: { ...stub, seconds: 400 * DAY },
    });
    expect(policy.upkeep).toEqual({ ...before.upkeep, deadLetters: DAY });
    expect({ retention, upkeep }).toEqual(before);
  });
});
