/** `npm run simulate`: runs lives, and explains those that fail. */
import { parseArgs } from "node:util";
import { explain, MAX_SEED, runLives, tellLife } from "./lives.ts";
import { type Cut, planLife } from "./plan.ts";
import type { Weather } from "./world.ts";

const HELP = `Runs simulated lives of sessions: clients, archiver, reconciler, rememberer and the builder of the lake act on the same
sessions, in an order and with faults that follow from a seed. Each life must keep the promises of the API.

  npm run simulate -- [options]

  --lives N      how many lives to run (default 1000)
  --seed S       seed of the first life; the next life has the next number (default 1)
  --workers W    threads (default 2)
  --explain N    failures that are shortened and shown (default 3)

  --replay S     run the life with this seed alone, and show it
  --drop 3,4     … without these actions
  --spare 1,2    … without the faults of these actions
  --calm a,b     … without this weather: skew, lag, late, twice, faulty

Ends with 0 when no life breaks a rule, with 1 when one does, and with 2 when it is called wrongly.`;

const MILLISECONDS_BETWEEN_LINES = 10_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      lives: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      workers: { type: "string", default: "2" },
      explain: { type: "string", default: "3" },
      replay: { type: "string" },
      drop: { type: "string", default: "" },
      spare: { type: "string", default: "" },
      calm: { type: "string", default: "" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.replay !== undefined) {
    const cut: Cut = {
      actions: numbersIn("drop", values.drop),
      faults: numbersIn("spare", values.spare),
      weather: listOf(values.calm) as (keyof Weather)[],
    };
    const lines = await tellLife(planLife(numberIn("replay", values.replay)), cut);
    console.log(lines.join("\n"));
    return lines[0] === "" ? 0 : 1;
  }
  return simulate({
    seed: numberIn("seed", values.seed),
    lives: numberIn("lives", values.lives),
    workers: numberIn("workers", values.workers),
    shown: numberIn("explain", values.explain),
  });
}

async function simulate({
  shown,
  ...run
}: {
  seed: number;
  lives: number;
  workers: number;
  shown: number;
}): Promise<number> {
  const began = performance.now();
  let told = began;
  const seconds = () => Math.round((performance.now() - began) / 1000);
  let known = 0;
  const failures = await runLives(run, (lived, failed) => {
    for (const { seed, violations } of failed.slice(known)) console.log(`life ${seed}: ${violations[0]?.rule}`);
    known = failed.length;
    if (performance.now() - told < MILLISECONDS_BETWEEN_LINES) return;
    told = performance.now();
    console.log(`${lived} of ${run.lives} lives, ${failed.length} failed, ${seconds()} s`);
  });
  console.log(`${run.lives} lives from seed ${run.seed}, ${failures.length} failed, ${seconds()} s`);
  const rules = Map.groupBy(
    failures.flatMap(({ seed, violations }) =>
      [...new Set(violations.map(({ rule }) => rule))].map((rule) => ({ seed, rule })),
    ),
    ({ rule }) => rule,
  );
  for (const [rule, broken] of rules) {
    const seeds = broken.slice(0, 10).map(({ seed }) => seed);
    console.log(`  ${broken.length} times: ${rule} (seeds ${seeds.join(", ")}${broken.length > 10 ? ", …" : ""})`);
  }
  for (const failure of failures.slice(0, shown)) console.log(`\n${await explain(failure)}`);
  return failures.length > 0 ? 1 : 0;
}

class WrongCall extends Error {}

function numberIn(name: string, text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !Number.isInteger(number) || number < 0 || number >= MAX_SEED) {
    throw new WrongCall(`--${name} must be a whole number, not "${text}"`);
  }
  return number;
}

const listOf = (text: string): string[] => text.split(",").filter((part) => part !== "");

const numbersIn = (name: string, text: string): number[] => listOf(text).map((part) => numberIn(name, part));

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof WrongCall || String((error as { code?: string }).code).startsWith("ERR_PARSE_ARGS");
  if (!isUsage) throw error;
  console.error(`${(error as Error).message}\nnpm run simulate -- --help says what there is.`);
  process.exitCode = 2;
}
