import { expect, it } from "vitest";
import { barChart, lineChart } from "../../../shared/reports/chart.ts";
import type { Figures, Report } from "../../../shared/reports/report.ts";
import { toHtml } from "../../../shared/reports/to-html.ts";

const figures: Figures = {
  sessions: 10,
  active_users: 4,
  return_rate: null,
  messages: 100,
  median_session_seconds: 600,
  feedback: 0,
  satisfaction: null,
  conversions: 0,
  conversion_value: 0,
  engagements: 3,
  input_tokens: 1000,
  output_tokens: 50,
  cost_usd: 20,
  return_on_cost: null,
  requests: 200,
  error_rate: 0,
  latency_p50_ms: 10,
  latency_p95_ms: 20,
  latency_p99_ms: null,
  llm_calls: 5,
  llm_error_rate: 0,
  llm_p95_ms: 800,
  first_token_p95_ms: 100,
};

const report = (more: Partial<Report> = {}): Report => ({
  month: "2026-10",
  created_at: "2026-11-01T01:00:00.000Z",
  complete: true,
  figures,
  previous: {
    ...figures,
    sessions: 8,
    cost_usd: 10,
    input_tokens: 500,
    engagements: 0,
    messages: 100,
    latency_p95_ms: 25,
  },
  days: [],
  routes: [],
  ...more,
});

/** The content of a tile, with the class of its change. */
const tile = (html: string, label: string) => new RegExp(`<dt>${label}</dt><dd>(.*?)</dd>`).exec(html)?.[1];

it("the report page marks each figure as better or worse than before", () => {
  const html = toHtml(report());
  expect(tile(html, "New sessions")).toBe('10 <span class="better">+25 %</span>');
  expect(tile(html, "Cost of models")).toBe('$20.00 <span class="worse">+100 %</span>');
  expect(tile(html, "95 % took less than")).toBe('20 ms <span class="better">−20 %</span>');
  expect(tile(html, "Tokens in")).toBe('1,000 <span class="same">+100 %</span>');
  expect(tile(html, "Messages")).toBe('100 <span class="same">±0 %</span>');
});

it("the report page shows no change without an earlier figure, and a dash without a figure", () => {
  expect(tile(toHtml(report()), "Engagements")).toBe("3");
  expect(tile(toHtml(report({ previous: null })), "New sessions")).toBe("10");
  expect(tile(toHtml(report()), "Users who came back")).toBe("–");
});

it("the report page escapes texts of requests, and says that the month is not over", () => {
  const html = toHtml(
    report({
      complete: false,
      routes: [{ route: `GET /<script>&"x"`, requests: 1, errors: 0, p50_ms: 1, p95_ms: 1, p99_ms: 1 }],
    }),
  );
  expect(html).toContain("<td>GET /&lt;script&gt;&amp;&quot;x&quot;</td>");
  expect(html).toContain("The month is not over.");
});

it("charts draw nothing below zero, and a line has a gap where there is no value", () => {
  const heights = [...barChart(["1", "2", "3"], [5, -3, 0]).matchAll(/height="(-?[\d.]+)"><title>/g)].map(
    ([, height]) => Number(height),
  );
  expect(heights).toEqual([116, 0, 0]);
  const [, path = ""] = /<path class="path" d="([^"]*)"/.exec(lineChart(["1", "2", "3", "4"], [1, 2, null, 2])) ?? [];
  expect(path.replace(/[\d. ]+/g, "")).toBe("MLM");
});
