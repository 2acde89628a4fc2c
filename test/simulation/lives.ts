/** Runs many lives on several threads, and makes a failure of each one that breaks a rule. */
import { Worker } from "node:worker_threads";
import { describe, runLife } from "./life.ts";
import type { Violation } from "./model.ts";
import { type Cut, nothing, type Plan, planLife, without } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { stamp } from "./world.ts";

interface Failure {
  seed: number;
  violations: Violation[];
}

interface Share {
  /** Seed of the first life; the next one has the next number, `step` further on. */
  seed: number;
  lives: number;
  step: number;
}

/** What a thread tells: that so many more lives have been lived, or one that failed. */
type News = { lives: number } | { failure: Failure };

/** Seeds that a life may have. */
export const MAX_SEED = 2 ** 31;

/** Lives between two pieces of news. */
const NEWS_EVERY = 20;

/** Runs the lives of one thread. */
export async function runShare({ seed, lives, step }: Share, tell: (news: News) => void): Promise<void> {
  for (let n = 0; n < lives; n++) {
    const violations = await violationsOf(planLife(seed + n * step));
    if (violations.length > 0) tell({ failure: { seed: seed + n * step, violations } });
    if ((n + 1) % NEWS_EVERY === 0) tell({ lives: NEWS_EVERY });
  }
  tell({ lives: lives % NEWS_EVERY });
}

async function violationsOf(plan: Plan): Promise<Violation[]> {
  try {
    return (await runLife(plan)).violations;
  } catch (error) {
    return [{ rule: "the simulation itself fails", detail: String((error as Error).stack ?? error) }];
  }
}

/** Runs lives with the seeds from `seed` on, on so many threads. Gives the failures by seed. */
export async function runLives(
  { seed, lives, workers }: { seed: number; lives: number; workers: number },
  progress: (lived: number, failures: readonly Failure[]) => void = () => undefined,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  let lived = 0;
  const shares = Array.from({ length: workers }, (_, n) => ({
    seed: seed + n,
    step: workers,
    lives: Math.ceil((lives - n) / workers),
  }));
  await Promise.all(
    shares.map(
      (share) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: share });
          worker.on("message", (news: News) => {
            if ("failure" in news) failures.push(news.failure);
            else lived += news.lives;
            progress(lived, failures);
          });
          worker.on("error", reject);
          worker.on("exit", () => resolve());
        }),
    ),
  );
  return failures.sort((a, b) => a.seed - b.seed);
}

/** Lines of store calls that are shown of a history. */
const MAX_TRACE = 150;

/** A failure as people read it: what is wrong, the shortest history that was found, and how to run it again. */
export async function explain({ seed, violations }: Failure): Promise<string> {
  const plan = planLife(seed);
  const [first = { rule: "", detail: "" }] = violations;
  const cut = await shrink(plan, first.rule);
  return [`Life ${seed} breaks the rule: ${first.rule}`, ...(await tellLife(plan, cut))].join("\n");
}

/** What happens in a life, from what is left of its plan. */
export async function tellLife(plan: Plan, cut: Cut): Promise<string[]> {
  const shorter = without(plan, cut);
  const { violations, trace } = await runLife(shorter, true);
  const weather = Object.entries(shorter.weather).flatMap(([name, isOn]) => (isOn ? [name] : []));
  const calls = trace.filter((line) => !/ end (searcher|reader|builder)|sessions_due/.test(line));
  return [
    ...[...new Set(violations.map(({ rule, detail }) => `  ${rule}: ${detail}`))],
    "",
    `The shortest history that was found has ${shorter.actions.length} of ${plan.actions.length} actions (weather: ${weather.join(", ") || "none"}):`,
    ...shorter.actions.map((action) => `  ${stamp(action.at)}  ${describe(action)}`),
    "",
    `What reaches the stores (${MAX_TRACE} lines at most):`,
    ...calls.slice(0, MAX_TRACE).map((line) => `  ${line}`),
    "",
    `Run it again:  ${commandOf(plan.seed, cut)}`,
  ];
}

function commandOf(seed: number, { actions, faults, weather }: Cut = nothing): string {
  const option = (name: string, values: readonly unknown[]) =>
    values.length > 0 ? ` --${name} ${values.join(",")}` : "";
  return `npm run simulate -- --replay ${seed}${option(
    "drop",
    [...actions].sort((a, b) => a - b),
  )}${option("spare", faults)}${option("calm", weather)}`;
}
