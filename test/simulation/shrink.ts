/** Finds a shorter history that breaks the same rule: it leaves out weather, faults and actions as long as the rule stays broken. */
import { runLife } from "./life.ts";
import { type Cut, nothing, type Plan, without } from "./plan.ts";
import type { Weather } from "./world.ts";

/** Lives that are tried at most. */
const MAX_TRIES = 400;

/** Gives what can be left out of a plan whose life breaks `rule`. */
export async function shrink(plan: Plan, rule: string): Promise<Cut> {
  let cut = nothing;
  let tries = 0;

  /** Leaves something more out if the rule is still broken then. */
  const leaveOut = async (more: Partial<Cut>): Promise<boolean> => {
    if (++tries > MAX_TRIES) return false;
    const longer = {
      actions: [...cut.actions, ...(more.actions ?? [])],
      faults: [...cut.faults, ...(more.faults ?? [])],
      weather: [...cut.weather, ...(more.weather ?? [])],
    };
    if (!(await isBroken(without(plan, longer), rule))) return false;
    cut = longer;
    return true;
  };

  let before: Cut;
  do {
    before = cut;
    for (let size = Math.ceil(plan.actions.length / 2); size >= 1; size = Math.floor(size / 2)) {
      const left = without(plan, cut).actions.map(({ id }) => id);
      for (let start = 0; start < left.length; start += size)
        await leaveOut({ actions: left.slice(start, start + size) });
    }
    const { actions, weather } = without(plan, cut);
    for (const { id, faults } of actions) {
      if (faults.some((each) => each.length > 0)) await leaveOut({ faults: [id] });
    }
    for (const [name, isOn] of Object.entries(weather)) if (isOn) await leaveOut({ weather: [name as keyof Weather] });
  } while (cut !== before && tries < MAX_TRIES);
  return cut;
}

async function isBroken(plan: Plan, rule: string): Promise<boolean> {
  try {
    return (await runLife(plan)).violations.some((violation) => violation.rule === rule);
  } catch {
    return false;
  }
}
