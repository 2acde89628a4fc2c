import { describe, expect, it } from "vitest";
import { hashId } from "../../../shared/hash.ts";
import { countCommon, countDistinct, decodeDistinct, encodeDistinct, union } from "../../../shared/metrics/distinct.ts";

const users = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => Number.parseInt(hashId(`user ${from + n}`), 16));

describe("distinct users", () => {
  it("are counted exactly up to the capacity", () => {
    const all = union(users(0, 1500), users(1000, 2000));
    expect(countDistinct(all)).toBe(2000);
    expect(countCommon(union(users(0, 1000)), union(users(900, 2000)))).toBe(100);
    expect(countDistinct([])).toBe(0);
  });

  it("are counted within a few percent beyond the capacity", () => {
    const all = union(users(0, 30_000), users(20_000, 60_000));
    expect(all.length).toBe(2048);
    expect(Math.abs(countDistinct(all) - 60_000)).toBeLessThan(60_000 * 0.07);
    const common = countCommon(union(users(0, 30_000)), union(users(15_000, 45_000)));
    expect(Math.abs(common - 15_000)).toBeLessThan(15_000 * 0.12);
  });

  it("are the same after encoding and decoding", () => {
    const all = union(users(0, 3000));
    expect(decodeDistinct(encodeDistinct(all))).toEqual(all);
  });
});
