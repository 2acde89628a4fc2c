import { expect, it } from "vitest";
import { impersonal, places, remainsOf } from "../../../shared/privacy/registry.ts";
import { retention } from "../../../shared/retention/policy.ts";

it("every row of the retention table is in the registry of personal data once, or is listed as impersonal", () => {
  const rows = [...places.flatMap(({ records }) => records as readonly string[]), ...impersonal];
  expect(rows.toSorted()).toEqual(Object.keys(retention).toSorted());
});

it("names of places are unique, because receipts name them", () => {
  const names = places.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it("a receipt names the data that the erasure cannot delete at once, and when it will be gone", () => {
  const since = Date.parse("2026-11-21T12:00:00.000Z");
  const remains = new Map(remainsOf({ since, now: since + 600_000 }, new Set()).map((rest) => [rest.name, rest]));
  expect(remains.get("stream records")?.until).toBe("2026-11-22T12:10:00.000Z");
  expect(remains.get("backups")?.until).toBe("2026-11-28T12:10:00.000Z");
  expect(remains.get("late uploads")?.until).toBe("2026-11-21T13:15:00.000Z");
  expect(remains.get("counts of users")?.until).toBe("2027-11-22T12:10:00.000Z");
  expect(remains.get("account")?.until).toBeNull();
  expect(remains.has("messages")).toBe(false);
  expect(remainsOf({ since, now: since }, new Set(["account"])).map(({ name }) => name)).not.toContain("account");
});
