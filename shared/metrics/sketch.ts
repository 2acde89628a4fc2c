/**
 * A mergeable quantile sketch of whole numbers: DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable
 * Quantile Sketch with Relative-Error Guarantees", VLDB 2019) with sparse bins. Merging adds counts, so the same values
 * give the same sketch in whatever order and grouping they come, which makes a repeated fold give identical bytes.
 */
export type Sketch = Map<number, number>;

/** Largest relative error of a quantile. */
const ACCURACY = 0.005;

/** Ratio of the bounds of one bin. */
const GAMMA = (1 + ACCURACY) / (1 - ACCURACY);
const LOG_GAMMA = Math.log(GAMMA);

/** The sketch with `times` more of a whole number. */
export function addTo(sketch: Sketch, value: number, times = 1): void {
  const bin = binOf(value);
  sketch.set(bin, (sketch.get(bin) ?? 0) + times);
}

/** Adds all that `other` has seen, each `times` over. */
export function mergeInto(sketch: Sketch, other: Sketch, times = 1): void {
  for (const [bin, count] of other) sketch.set(bin, (sketch.get(bin) ?? 0) + count * times);
}

/** The values that have these shares of all values at or below them, within 0.5 %; `null` where there are none. */
export function quantiles(sketch: Sketch, shares: readonly number[], min: number, max: number): (number | null)[] {
  const bins = [...sketch].sort(([a], [b]) => a - b);
  const count = bins.reduce((sum, [, n]) => sum + n, 0);
  return shares.map((share) => {
    const rank = Math.floor(share * (count - 1));
    let seen = 0;
    for (const [bin, n] of bins) {
      seen += n;
      if (seen > rank) return Math.min(max, Math.max(min, middleOf(bin)));
    }
    return null;
  });
}

/** Bins in the order of their values: 0 is zero, positive ones hold positive values, negative ones negative. */
function binOf(value: number): number {
  if (value === 0) return 0;
  return Math.sign(value) * (Math.ceil(Math.log(Math.abs(value)) / LOG_GAMMA) + 1);
}

/** The value that is furthest from neither bound of a bin. */
function middleOf(bin: number): number {
  return bin === 0 ? 0 : (Math.sign(bin) * 2 * GAMMA ** (Math.abs(bin) - 1)) / (GAMMA + 1);
}

/** Bytes of a sketch, 2 to 4 a bin: each bin as its distance from the one before, and its count. */
export function encodeSketch(sketch: Sketch): Uint8Array {
  const bytes: number[] = [];
  let last = 0;
  for (const [bin, count] of [...sketch].sort(([a], [b]) => a - b)) {
    pushVarint(bytes, bin < last ? (last - bin) * 2 - 1 : (bin - last) * 2);
    pushVarint(bytes, count);
    last = bin;
  }
  return Uint8Array.from(bytes);
}

export function decodeSketch(bytes: Uint8Array): Sketch {
  const sketch: Sketch = new Map();
  let at = 0;
  let last = 0;
  const next = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const step = next();
    last += step % 2 === 1 ? -(step + 1) / 2 : step / 2;
    sketch.set(last, next());
  }
  return sketch;
}

/** Seven bits a byte, the lowest first; counts may exceed 32 bits. */
function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}
