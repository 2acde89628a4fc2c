/** What must hold at the end of a life of budgets and reports. */
import { deploy } from "./deployment.ts";
import type { Deed, History } from "./history.ts";
import type { Instance } from "./instance.ts";
import { ranBesideRemoval } from "./model.ts";
import type { Plan } from "./plan.ts";
import { BEGINNING, type World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Ending {
  world: World;
  plan: Plan;
  history: History;
  fail(rule: string, detail: string): void;
  /** Lets time pass. */
  pass(milliseconds: number): Promise<void>;
  /** Lets everything happen that an operation waits for. */
  running<T>(work: Promise<T>): Promise<T>;
  instance(what: string): Instance;
}

export function createAccountChecks({ world, plan, history, fail, pass, running, instance }: Ending) {
  const { timeline } = world;

  return {
    /** What was spent on the day of the last turn is what its turns have used: each turn once. */
    async budgets(): Promise<void> {
      for (const user of new Set(plan.actions.map((action) => action.user))) {
        const turns = history.deeds.filter((deed) => deed.kind === "turn" && deed.user === user);
        const last = Math.max(...turns.map(({ began }) => began));
        // What was used is kept for two days.
        if (turns.length === 0 || timeline.now() - last > 47 * HOUR) continue;
        // A turn about midnight may count to either day.
        const dayOf = (time: number) => Math.floor(time / DAY);
        const isAboutMidnight = turns.some(
          ({ began, effective }) => dayOf(began - MINUTE) !== dayOf(effective() + MINUTE),
        );
        if (isAboutMidnight) continue;
        const today = turns.filter(({ began }) => dayOf(began) === dayOf(last));
        const known = today.filter(({ usage }) => usage);
        const isExact = known.length === today.length && !today.some(({ isHit }) => isHit());
        const usage = await running(deploy(world, instance("accountant")).usage(user, last));
        const sum = (turns: readonly Deed[], tokens: "input_tokens" | "output_tokens") =>
          turns.reduce((total, turn) => total + (turn.usage?.[tokens] ?? 0), 0);
        const [input, output] = [sum(known, "input_tokens"), sum(known, "output_tokens")];
        const detail = `${JSON.stringify(usage)} after ${known.length} known turns of ${today.length} of ${user}`;
        if (isExact && (usage.input_tokens !== input || usage.output_tokens !== output))
          fail("a budget is wrong", detail);
        if (isExact && usage.spent !== input + output) fail("a budget is wrong", detail);
        const unhit = known.filter(({ isHit }) => !isHit());
        if (usage.input_tokens < sum(unhit, "input_tokens")) fail("a turn is not counted in the budget", detail);
        if (usage.spent < 0) fail("a budget is wrong", detail);
      }
    },

    /** The report says what a count over the metrics says, and, when no metric was lost, what a count over the data says. */
    async report(): Promise<void> {
      const month = new Date(BEGINNING).toISOString().slice(0, 7);
      await pass(HOUR);
      for (const granularity of ["hour", "day", "month"] as const) {
        await running(deploy(world, instance("folder")).fold(granularity));
        timeline.skip(15 * MINUTE);
      }
      const { figures } = await running(deploy(world, instance("reporter")).report(month));
      const raw = world.metrics.all().filter(({ pk, kind }) => String(pk).startsWith("R#") && kind === "api.request");
      const sum = (measure: string) =>
        raw.reduce((total, { measures }) => total + ((measures as Record<string, number>)[measure] ?? 0), 0);
      const said = [figures.requests, figures.sessions, figures.messages];
      // What a function stores after it has answered is measured by itself: that is no request.
      const requests = raw.filter(({ measures }) => "duration_ms" in (measures as object)).length;
      const counted = [requests, sum("sessions"), sum("messages")];
      if (String(said) !== String(counted))
        fail("the report is wrong", `requests, sessions, messages: ${said} instead of ${counted}`);
      const stored = [history.served, world.truth.sessions, world.truth.messages.size];
      const isWhole = requests === history.served && !history.deeds.some(({ isHit }) => isHit());
      // The answer of a turn beside a reset or deletion may have been stored and removed again before the turn could count it.
      const discarded = history.deeds.filter((deed) => deed.kind === "turn" && ranBesideRemoval(history, deed)).length;
      const [, , messages = 0] = counted;
      const missing = world.truth.messages.size - messages;
      const expected = missing > 0 && missing <= discarded ? [...stored.slice(0, 2), messages] : stored;
      if (isWhole && String(counted) !== String(expected)) {
        fail("metrics do not say what was stored", `requests, sessions, messages: ${counted} instead of ${stored}`);
      }
    },
  };
}
