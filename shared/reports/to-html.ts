import { barChart, lineChart } from "./chart.ts";
import type { Figures, Report } from "./report.ts";

/** Renders a report as one HTML page without scripts or other files. */
export function toHtml(report: Report): string {
  const { month, created_at, complete, figures, previous, days, routes } = report;
  const labels = days.map(({ day }) => day.slice(8));
  const name = new Date(month).toLocaleString("en-US", { month: "long", year: "numeric", timeZone: "UTC" });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Memocha, ${month}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Memocha in ${name}</h1>
<p>${complete ? "" : "The month is not over. "}Created on ${created_at.slice(0, 16).replace("T", " ")} UTC. Changes are relative to the previous month.</p>
</header>
${SECTIONS.map(({ title, rows }) => section(title, rows, figures, previous)).join("\n")}
<section>
<h2>Day by day</h2>
<div class="charts">
${CHARTS.map(([field, caption, draw]) =>
  figure(
    caption,
    draw(
      labels,
      days.map((day) => day[field]),
    ),
  ),
).join("\n")}
</div>
</section>
<section>
<h2>Routes</h2>
<table>
<tr><th>Route</th><th>Requests</th><th>5xx</th><th>p50, ms</th><th>p95, ms</th><th>p99, ms</th></tr>
${routes.map((r) => row([r.route, whole(r.requests), whole(r.errors), tenth(r.p50_ms), tenth(r.p95_ms), tenth(r.p99_ms)])).join("\n")}
</table>
</section>
</body>
</html>
`;
}

type Format = (value: number) => string;

/** Whether a higher figure is better, worse or neither. */
type Sense = "good" | "bad" | "neutral";

type FigureRow = [name: keyof Figures, label: string, format: Format, sense: Sense];

const whole: Format = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const tenth: Format = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 });
const percent: Format = (value) => `${(value * 100).toFixed(value < 0.1 ? 2 : 1)} %`;
const dollars: Format = (value) =>
  `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
const times: Format = (value) => `${value.toLocaleString("en-US", { maximumFractionDigits: 1 })} ×`;
const milliseconds: Format = (value) => `${tenth(value)} ms`;
const duration: Format = (value) => (value < 3600 ? `${tenth(value / 60)} min` : `${tenth(value / 3600)} h`);

const SECTIONS: { title: string; rows: FigureRow[] }[] = [
  {
    title: "Use",
    rows: [
      ["active_users", "Active users", whole, "good"],
      ["return_rate", "Users who came back", percent, "good"],
      ["sessions", "New sessions", whole, "good"],
      ["messages", "Messages", whole, "good"],
      ["median_session_seconds", "Median length of a session", duration, "neutral"],
    ],
  },
  {
    title: "Business",
    rows: [
      ["satisfaction", "Satisfied feedback", percent, "good"],
      ["feedback", "Feedback", whole, "neutral"],
      ["conversions", "Conversions", whole, "good"],
      ["conversion_value", "Value of conversions", dollars, "good"],
      ["cost_usd", "Cost of models", dollars, "bad"],
      ["return_on_cost", "Value per dollar of cost", times, "good"],
      ["engagements", "Engagements", whole, "good"],
    ],
  },
  {
    title: "Models",
    rows: [
      ["llm_calls", "Calls", whole, "neutral"],
      ["input_tokens", "Tokens in", whole, "neutral"],
      ["output_tokens", "Tokens out", whole, "neutral"],
      ["llm_error_rate", "Calls that failed", percent, "bad"],
      ["llm_p95_ms", "95 % of calls took less than", milliseconds, "bad"],
      ["first_token_p95_ms", "95 % of first tokens came within", milliseconds, "bad"],
    ],
  },
  {
    title: "Service",
    rows: [
      ["requests", "Requests", whole, "neutral"],
      ["error_rate", "Answered with a 5xx", percent, "bad"],
      ["latency_p50_ms", "Half took less than", milliseconds, "bad"],
      ["latency_p95_ms", "95 % took less than", milliseconds, "bad"],
      ["latency_p99_ms", "99 % took less than", milliseconds, "bad"],
    ],
  },
];

type DayField = Exclude<keyof Report["days"][number], "day">;

const CHARTS: [field: DayField, caption: string, draw: typeof lineChart][] = [
  ["active_users", "Active users", bars],
  ["messages", "Messages", bars],
  ["requests", "Requests", bars],
  ["latency_p95_ms", "Latency, p95, ms", lineChart],
  ["cost_usd", "Cost, $", bars],
  ["conversion_value", "Value of conversions", bars],
];

function bars(labels: readonly string[], values: readonly (number | null)[]): string {
  return barChart(
    labels,
    values.map((value) => value ?? 0),
  );
}

function section(title: string, rows: FigureRow[], figures: Figures, previous: Figures | null): string {
  const tiles = rows.map(([name, label, format, sense]) => {
    const value = figures[name];
    return `<div class="tile"><dt>${label}</dt><dd>${value === null ? "–" : format(value)}${change(value, previous?.[name] ?? null, sense)}</dd></div>`;
  });
  return `<section>\n<h2>${title}</h2>\n<dl>\n${tiles.join("\n")}\n</dl>\n</section>`;
}

/** Formats the change from the previous figure; empty if there is none. */
function change(value: number | null, before: number | null, sense: Sense): string {
  if (value === null || before === null || before === 0) return "";
  const ratio = value / before - 1;
  const rounded = Math.round(ratio * 100);
  const isBetter = sense === "good" ? rounded > 0 : rounded < 0;
  const kind = sense === "neutral" || rounded === 0 ? "same" : isBetter ? "better" : "worse";
  return ` <span class="${kind}">${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded)} %</span>`;
}

const figure = (caption: string, svg: string): string => `<figure><figcaption>${caption}</figcaption>${svg}</figure>`;

const row = (cells: string[]): string => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c1b1a, #eceae6); --soft: light-dark(#6b6862, #a09c94);
  --line: light-dark(#e3e0da, #3a3835); --paper: light-dark(#fbfaf8, #191817); --mark: light-dark(#8a5a2b, #d9a066); }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.9rem; } h2 { margin: 2.2rem 0 .7rem; font-size: 1.1rem; }
header p { margin: .3rem 0 0; color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .8rem; margin: 0; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
dd span { font-size: .8rem; white-space: nowrap; }
.better { color: light-dark(#1a7f37, #57c878); } .worse { color: light-dark(#b3261e, #f2857c); } .same { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .85rem; margin-bottom: .3rem; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 9px system-ui, sans-serif; }
svg .bar { fill: var(--mark); } svg .path { fill: none; stroke: var(--mark); stroke-width: 1.6; stroke-linejoin: round; }
svg .dot { fill: var(--mark); } svg .grid { stroke: var(--line); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: .35rem .5rem; border-bottom: 1px solid var(--line); } th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
`;
