import { expect, it } from "vitest";
import { partsOf } from "../../../shared/metrics/fold.ts";
import { endOf, shift, startOf, windowOf, windowsBetween } from "../../../shared/metrics/window.ts";

it("windows continue over the ends of days, months and years", () => {
  expect(shift("hour", "2026-12-31T23", 1)).toBe("2027-01-01T00");
  expect(shift("day", "2028-03-01", -1)).toBe("2028-02-29");
  expect(shift("month", "2026-01", -1)).toBe("2025-12");
  expect(windowsBetween("month", "2026-11", "2027-02")).toEqual(["2026-11", "2026-12", "2027-01", "2027-02"]);
  expect(windowsBetween("day", "2026-11-02", "2026-11-01")).toEqual([]);
});

it("a window has a start, an end and a name", () => {
  expect(windowOf("hour", "2026-11-21T09:59:59.999Z")).toBe("2026-11-21T09");
  expect(startOf("2026-11")).toBe("2026-11-01T00:00:00.000Z");
  expect(startOf("2026-11-21T09")).toBe("2026-11-21T09:00:00.000Z");
  expect(endOf("month", "2026-12")).toBe("2027-01-01T00:00:00.000Z");
  expect(partsOf("day", "2026-11-21")).toEqual(["2026-11-21T00", "2026-11-21T23"]);
  expect(partsOf("month", "2026-02")).toEqual(["2026-02-01", "2026-02-28"]);
});
