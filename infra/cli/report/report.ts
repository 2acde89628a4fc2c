import { writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { toInstant } from "../../../shared/clock.ts";
import { createTable } from "../../../shared/dynamodb/table.ts";
import { createMetricStore } from "../../../shared/metrics/store.dynamodb.ts";
import { buildReport } from "../../../shared/reports/build-report.ts";
import { toHtml } from "../../../shared/reports/html.ts";
import type { Report } from "../../../shared/reports/report.ts";
import { engineClient } from "../../local/index.ts";
import { findHost } from "../find-host.ts";
import { asUsageError, runCommand, UsageError } from "../run-command.ts";

const USAGE = `Makes the business report of a month from the running local host's aggregates.

  npm run report -- 2026-10 [--data .memocha] [--out DIR]

  --data DIR  the local host's data directory (default .memocha)
  --out DIR   where report-2026-10.json and report-2026-10.html go (default the data directory)
  --help

Without a month, it is the current one.

Exit code: 0 = done, 1 = something went wrong, 2 = wrong usage.
`;

await runCommand("report", async (args) => {
  process.stdout.write(await main(args));
  return 0;
});

async function main(args: string[]): Promise<string> {
  const { values, positionals } = readOptions(args);
  if (values.help) return USAGE;
  const now = Date.now();
  const current = toInstant(now).slice(0, 7);
  const month = positionals[0] ?? current;
  if (positionals.length > 1 || !/^\d{4}-(0[1-9]|1[0-2])$/.test(month)) {
    throw new UsageError(`The month must be like 2026-10, not "${positionals.join(" ")}".`);
  }
  if (month > current) throw new UsageError(`The month ${month} is in the future.`);
  const { endpoints, outputs } = findHost(values.data);
  const client = new DynamoDBClient(engineClient(endpoints.dynamodb));
  const store = createMetricStore(createTable(DynamoDBDocumentClient.from(client), outputs.MetricsTableName));
  const report = await buildReport({ store, clock: () => now }, month);
  client.destroy();

  const file = (format: string) => path.join(values.out ?? values.data, `report-${month}.${format}`);
  writeFileSync(file("json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(file("html"), toHtml(report));
  return `${summary(report)}\n${file("json")}\n${file("html")}\n`;
}

/** The figures beside those of the month before. */
function summary({ month, complete, figures, previous }: Report): string {
  const rows = Object.entries(figures).map(([name, value]) => [
    name.replaceAll("_", " "),
    show(value),
    show(previous?.[name as keyof typeof figures]),
  ]);
  const head = [`${month}${complete ? "" : " so far"}`, "", "month before"];
  return [head, ...rows]
    .map(([a = "", b = "", c = ""]) => `${a.padEnd(26)}${b.padStart(14)}${c.padStart(16)}`)
    .join("\n");
}

function show(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString("en-US", { maximumFractionDigits: 4 });
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        data: { type: "string", default: ".memocha" },
        out: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return asUsageError(error);
  }
}
