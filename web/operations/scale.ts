import type { Series } from "./series.ts";

/** Ticks of an axis. */
const TICKS = 4;
/** Pixels between two labels. */
const LABEL_HEIGHT = 14;

/** Three to five round values from zero to at least `most`. */
export function ticksOf(most: number): number[] {
  if (!(most > 0)) return [0, 1];
  const rough = most / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const count = Math.ceil(most / step);
  // Multiply instead of adding, so that the last tick is not 0.30000000000000004.
  return Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(12)));
}

interface EndLabel {
  name: string;
  y: number;
  index: number;
}

/** Places the names of series at the height of their last values, and moves them apart if they would cover each other. */
export function endLabels(series: Series[], kind: "lines" | "bars", y: (value: number) => number): EndLabel[] {
  let below = 0;
  const labels = series.map(({ name, values }, index) => {
    const last = values.findLast((value) => value !== null) ?? 0;
    if (kind === "lines") return { name, y: y(last), index };
    const height = Math.max(...values.map((value) => value ?? 0));
    below += height;
    return { name, y: y(below - height / 2), index };
  });
  const bottom = y(0);
  const sorted = labels.sort((a, b) => b.y - a.y);
  let limit = bottom;
  for (const label of sorted) {
    label.y = Math.min(label.y, limit);
    limit = label.y - LABEL_HEIGHT;
  }
  // If names are above the top now, move all of them down again.
  const over = LABEL_HEIGHT - (sorted.at(-1)?.y ?? LABEL_HEIGHT);
  return over > 0 ? sorted.map((label) => ({ ...label, y: label.y + over })) : sorted;
}
