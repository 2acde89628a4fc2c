import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addTo,
  decodeSketch,
  encodeSketch,
  mergeInto,
  quantiles,
  type Sketch,
} from "../../../shared/metrics/sketch.ts";

const SHARES = [0, 0.01, 0.5, 0.95, 0.99, 1];
const values = fc.array(fc.integer({ min: -1_000_000, max: 2 ** 50 }), { minLength: 1, maxLength: 300 });

const sketchOf = (all: readonly number[]): Sketch => {
  const sketch: Sketch = new Map();
  for (const value of all) addTo(sketch, value);
  return sketch;
};
const bytes = (sketch: Sketch) => [...encodeSketch(sketch)];

describe("a sketch", () => {
  it("returns every quantile within 0.5 % of the exact value", () => {
    fc.assert(
      fc.property(values, (all) => {
        const sorted = all.toSorted((a, b) => a - b);
        const found = quantiles(sketchOf(all), SHARES, sorted[0]!, sorted.at(-1)!);
        for (const [n, share] of SHARES.entries()) {
          const exact = sorted[Math.floor(share * (sorted.length - 1))]!;
          expect(Math.abs(found[n]! - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.005 + 1e-6);
        }
      }),
    );
  });

  it("has the same bytes for any order and grouping of its values", () => {
    fc.assert(
      fc.property(values, fc.nat(), (all, seed) => {
        const cut = seed % all.length;
        const merged = sketchOf(all.slice(cut).reverse());
        mergeInto(merged, sketchOf(all.slice(0, cut)));
        expect(bytes(merged)).toEqual(bytes(sketchOf(all)));
      }),
    );
  });

  it("is the same after encoding and decoding", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 2 ** 40 }), (all, times) => {
        const sketch = sketchOf(all);
        mergeInto(sketch, sketchOf(all), times);
        expect(bytes(decodeSketch(encodeSketch(sketch)))).toEqual(bytes(sketch));
      }),
    );
  });

  it("of durations over four orders of magnitude takes less than 3,000 bytes", () => {
    const sketch: Sketch = new Map();
    for (let n = 0; n < 100_000; n++) addTo(sketch, Math.round(1000 * Math.exp((n % 1000) / 100)));
    expect(encodeSketch(sketch).length).toBeLessThan(3000);
  });

  it("without values has no quantiles", () => {
    expect(quantiles(new Map(), [0.5], 0, 0)).toEqual([null]);
  });
});
