/**
 * A mergeable quantile sketch of whole numbers, as counts by bin: DDSketch (Masson, Rim, Lee: "DDSketch: A Fast and Fully-Mergeable
 * Quantile Sketch with Relative-Error Guarantees", VLDB 2019) with sparse bins. Merging adds counts, so the same values give the same
 * sketch in any order and grouping, and a repeated fold gives identical bytes.
 */
export type Sketch = Map<number, number>;

/** Largest relative error of a quantile. */
const ACCURACY = 0.005;

/** Ratio of the upper to the lower bound of a bin. */
const GAMMA = (1 + ACCURACY) / (1 - ACCURACY);
const LOG_GAMMA = Math.log(GAMMA);

/** Adds a whole number. */
export function addTo(sketch: Sketch, value: number): void {
  const bin = binOf(value);
  sketch.set(bin, (sketch.get(bin) ?? 0) + 1);
}

/** Adds the values of `other`, each `times` times. */
export function mergeInto(sketch: Sketch, other: Sketch, times = 1): void {
  for (const [bin, count] of other) sketch.set(bin, (sketch.get(bin) ?? 0) + count * times);
}

/** The quantiles of these shares, within 0.5 % and between `min` and `max`; `null` for an empty sketch. */
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

/** The bin of a value. Bins sort like their values: bin 0 holds zero, positive bins positive values, negative bins negative ones. */
function binOf(value: number): number {
  if (value === 0) return 0;
  return Math.sign(value) * (Math.ceil(Math.log(Math.abs(value)) / LOG_GAMMA) + 1);
}

/** The value with the smallest relative distance to both bounds of a bin. */
function middleOf(bin: number): number {
  return bin === 0 ? 0 : (Math.sign(bin) * 2 * GAMMA ** (Math.abs(bin) - 1)) / (GAMMA + 1);
}

/** Encodes a sketch in 2 to 4 bytes per bin: the distance from the bin before, and the count. */
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

/** Seven bits per byte, lowest first. Counts may exceed 32 bits. */
function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}
