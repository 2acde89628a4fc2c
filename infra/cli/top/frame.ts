import { styleText } from "node:util";
import { LOOK_BACK, type Sample } from "./sampler.ts";

/** The heights of a bar in the sparkline. */
const BARS = " ▁▂▃▄▅▆▇█";

/** The lines of one frame. Percentiles are exact, because the sample has every request of the last minute. */
export function frameOf({ url, at, recent, queue, sessions }: Sample, width: number): string[] {
  const requests = recent.filter(({ kind }) => kind === "api.request");
  const perSecond = Array.from({ length: LOOK_BACK }, () => 0);
  for (const { at: ended } of requests) {
    const second = LOOK_BACK - 1 - Math.floor((at - ended) / 1000);
    perSecond[second] = (perSecond[second] ?? 0) + 1;
  }
  const failed = requests.filter(({ dimensions }) => dimensions.status === "5xx").length;
  const current = perSecond.slice(-6, -1).reduce((sum, count) => sum + count, 0) / 5;
  const line = (text: string) => text.slice(0, Math.max(20, width));

  return [
    `${styleText("bold", "memocha")}  ${url}  ${new Date(at).toISOString().slice(11, 19)} UTC`,
    "",
    line(`requests  ${current.toFixed(1)}/s   last minute ${requests.length}, failed ${failed}`),
    line(`          ${sparkline(perSecond)}`),
    line(`sessions  hot ${sessions.hot}   archived ${sessions.archived}        dead letters ${queue}`),
    "",
    ...table("route", requests, ({ dimensions }) => dimensions.route ?? "", width),
    "",
    ...table(
      "calls",
      recent.filter(({ kind }) => kind.endsWith(".call")),
      ({ kind, dimensions }) => [kind.replace(".call", ""), dimensions.model].filter(Boolean).join(" "),
      width,
    ),
  ];
}

type Metric = Sample["recent"][number];

function table(title: string, metrics: Metric[], nameOf: (metric: Metric) => string, width: number): string[] {
  const room = Math.max(12, Math.min(44, width - 48));
  const head = `${title.padEnd(room)}${["/min", "failed", "p50 ms", "p95 ms", "p99 ms"].map((name) => name.padStart(9)).join("")}`;
  if (metrics.length === 0) return [styleText("dim", `${title.padEnd(room)}none in the last minute`)];
  const groups = [...Map.groupBy(metrics, nameOf)].sort(([, a], [, b]) => b.length - a.length);
  return [
    styleText("dim", head),
    ...groups.map(([name, group]) => {
      const durations = group.map(({ measures }) => (measures.duration_ms ?? 0) / 1000).sort((a, b) => a - b);
      const quantile = (share: number) => (durations[Math.floor(share * (durations.length - 1))] ?? 0).toFixed(1);
      const failed = group.filter(({ error }) => error !== undefined).length;
      const cells = [group.length, failed, quantile(0.5), quantile(0.95), quantile(0.99)];
      return `${name.slice(0, room - 1).padEnd(room)}${cells.map((cell) => String(cell).padStart(9)).join("")}`;
    }),
  ];
}

function sparkline(values: number[]): string {
  const top = Math.max(1, ...values);
  return values.map((value) => BARS[Math.ceil((value / top) * (BARS.length - 1))]).join("");
}
