import type { Place } from "../../shared/privacy/place.ts";
import { places } from "../../shared/privacy/registry.ts";
import { retention } from "../../shared/retention/policy.ts";
import { DAY, type RetentionRule } from "../../shared/retention/rule.ts";

/** The retention policy as the Markdown table of docs/retention.md. */
export function retentionTable(): string {
  const rows = (Object.entries(retention) as [string, RetentionRule][]).map(
    ([name, { record, seconds, coldAfterSeconds, sameAs = name, note }]) => {
      const option = seconds === null ? "–" : `\`${sameAs}\``;
      const cold = coldAfterSeconds
        ? ` Glacier Instant Retrieval after ${duration(coldAfterSeconds)} (\`${name}.cold\`).`
        : "";
      return `| ${record} | ${duration(seconds)} | ${option} | ${note}${cold} |`;
    },
  );
  return ["| record | deleted after | period | |", "|---|---|---|---|", ...rows, ""].join("\n");
}

/** The places of personal data as the Markdown table of docs/privacy.md. */
export function placesTable(): string {
  const rows = (places as readonly Place[]).map(({ name, holds, records, erased, later }) => {
    const periods = new Set(records.map((record) => duration(retention[record].seconds)));
    const kept = periods.size > 0 ? [...periods].join(", ") : duration(later?.seconds() ?? null);
    return `| ${name} | ${holds} | ${kept} | ${erased}${later ? `. ${later.why}` : ""} |`;
  });
  return ["| place | what it holds | deleted after | by an erasure |", "|---|---|---|---|", ...rows, ""].join("\n");
}

function duration(seconds: number | null): string {
  if (seconds === null) return "–";
  const [size, unit] = seconds % DAY === 0 ? [DAY, "day"] : seconds % 3600 === 0 ? [3600, "hour"] : [60, "minute"];
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
