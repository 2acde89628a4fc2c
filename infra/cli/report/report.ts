import { writeFileSync } from "node:fs";
import path from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { toInstant } from "../../../shared/clock.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createMetricStore } from "../../../shared/metrics/metric-store.dynamodb.ts";
import { buildReport } from "../../../shared/reports/build-report.ts";
import type { Report } from "../../../shared/reports/report.ts";
import { toHtml } from "../../../shared/reports/to-html.ts";
import { engineClient } from "../../local/index.ts";
import { alignColumns } from "../align-columns.ts";
import { findHost } from "../find-host.ts";
import { runCommand, UsageError } from "../run-command.ts";

const usage = `Writes the business report of a month from the aggregates of the running local host.

  npm run report -- [2026-10] [--out DIR]

  2026-10     the month (default the current month)
  --out DIR   where to write report-2026-10.json and report-2026-10.html (default the data directory)
`;

const command = { name: "report", usage, options: { out: { type: "string" } }, allowPositionals: true } as const;

await runCommand(command, async ({ data, out = data }, positionals) => {
  const now = Date.now();
  const current = toInstant(now).slice(0, 7);
  const month = positionals[0] ?? current;
  if (positionals.length > 1 || !/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) {
    throw new UsageError(`The month must be like 2026-10, not "${positionals.join(" ")}".`);
  }
  if (month > current) throw new UsageError(`The month ${month} is in the future.`);
  const { endpoints, outputs } = findHost(data, ["MetricsTableName"]);
  const client = new DynamoDBClient(engineClient(endpoints.dynamodb));
  const store = createMetricStore(createTable(DynamoDBDocumentClient.from(client), outputs.MetricsTableName));
  const report = await buildReport({ store, clock: () => now }, month);
  client.destroy();

  const file = (format: string) => path.join(out, `report-${month}.${format}`);
  writeFileSync(file("json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(file("html"), toHtml(report));
  process.stdout.write(`${summarize(report)}\n${file("json")}\n${file("html")}\n`);
  return 0;
});

/** The figures, beside those of the month before. */
function summarize({ month, complete, figures, previous }: Report): string {
  const rows = Object.entries(figures).map(([name, value]) => [
    name.replaceAll("_", " "),
    formatFigure(value),
    formatFigure(previous?.[name as keyof typeof figures]),
  ]);
  const head = [`${month}${complete ? "" : " so far"}`, "", "month before"];
  return alignColumns([head, ...rows], [1, 2]).join("\n");
}

function formatFigure(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US", { maximumFractionDigits: 4 });
}
