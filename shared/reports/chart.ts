/** Units of the SVG. The page scales it. */
const WIDTH = 320;
const HEIGHT = 140;
const LEFT = 34;
const BOTTOM = 16;
const TOP = 8;

/** Draws bars over days as an SVG. */
export function barChart(labels: readonly string[], values: readonly number[]): string {
  const scale = createScale(labels, values);
  const width = Math.max(1, scale.step * 0.72);
  const bars = values.map((value, n) => {
    const y = scale.y(value);
    return `<rect class="bar" x="${round(scale.x(n) - width / 2)}" y="${round(y)}" width="${round(width)}" height="${round(HEIGHT - BOTTOM - y)}"><title>${labels[n]}: ${value}</title></rect>`;
  });
  return drawing(scale, bars);
}

/** Draws a line over days as an SVG. The line has a gap where there is no value. */
export function lineChart(labels: readonly string[], values: readonly (number | null)[]): string {
  const scale = createScale(
    labels,
    values.map((value) => value ?? 0),
  );
  const points = values.map((value, n) => (value === null ? null : `${round(scale.x(n))} ${round(scale.y(value))}`));
  const path = points
    .map((point, n) => (point === null ? "" : `${n > 0 && points[n - 1] ? "L" : "M"}${point}`))
    .join("");
  const dots = values.map((value, n) =>
    value === null
      ? ""
      : `<circle class="dot" cx="${round(scale.x(n))}" cy="${round(scale.y(value))}" r="1.8"><title>${labels[n]}: ${round(value)}</title></circle>`,
  );
  return drawing(scale, [`<path class="path" d="${path}"/>`, ...dots]);
}

interface Scale {
  labels: readonly string[];
  top: number;
  step: number;
  x(n: number): number;
  y(value: number): number;
}

function createScale(labels: readonly string[], values: readonly number[]): Scale {
  const top = niceTop(Math.max(0, ...values));
  const step = (WIDTH - LEFT) / Math.max(1, labels.length);
  return {
    labels,
    top,
    step,
    x: (n) => LEFT + (n + 0.5) * step,
    // The charts begin at 0. A day whose refunds exceed its conversions is drawn as 0.
    y: (value) => TOP + (1 - Math.max(0, value) / top) * (HEIGHT - BOTTOM - TOP),
  };
}

/** The smallest of 1, 2, 5, 10, 20 … that is not below the value. */
function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

function drawing({ labels, top, x, y }: Scale, shapes: string[]): string {
  const lines = [0, 0.5, 1].map((part) => {
    const at = round(y(part * top));
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${at}" y2="${at}"/><text x="${LEFT - 4}" y="${at + 3}" text-anchor="end">${short(part * top)}</text>`;
  });
  const every = Math.max(1, Math.ceil(labels.length / 8));
  const names = labels.map((label, n) =>
    n % every === 0 ? `<text x="${round(x(n))}" y="${HEIGHT - 4}" text-anchor="middle">${label}</text>` : "",
  );
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${[...lines, ...names, ...shapes].join("")}</svg>`;
}

const short = (value: number): string =>
  value.toLocaleString("en-US", { notation: "compact", maximumSignificantDigits: 3 });

const round = (value: number): number => Math.round(value * 100) / 100;
