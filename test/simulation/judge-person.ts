/** What must hold of exports, erasures, the choice about memory, and the audit. */
import type { Deed, History } from "./history.ts";
import { isSaying, readText, SKEW, type Violation } from "./model.ts";
import type { Weather } from "./world.ts";

export function judgePerson(history: History, { skew }: Weather): Violation[] {
  return [...judgeErasures(history), ...judgeMemory(history, skew ? SKEW : 0)];
}

/** Nothing that was said before an erasure is anywhere when its receipt is complete, nor at the end. */
function judgeErasures({ erasures, deeds }: History): Violation[] {
  return erasures.flatMap(({ user, began, stored, left }) => {
    const said = deeds.filter((deed) => isSaying(deed) && deed.user === user && deed.effective() < began);
    const found = said.filter(({ action }) => stored.includes(`z${action}x`));
    return [
      ...found.map(({ action }) => ({ rule: "what was erased is stored", detail: `z${action}x of ${user}` })),
      ...left.map((store) => ({ rule: "an erasure is complete before all is erased", detail: JSON.stringify(store) })),
    ];
  });
}

/** What was said while memory was off is not remembered, and while it is off nothing is recalled in a chat. */
function judgeMemory({ deeds, sights, recalls }: History, skew: number): Violation[] {
  const isOff = ({ user, began, ended }: { user: string; began: number; ended: number }) => {
    const choices = deeds.filter((deed) => deed.user === user && (isChoice(deed) || deed.kind === "erase"));
    const last = choices.filter((deed) => deed.ended + skew < began).sort((a, b) => b.ended - a.ended)[0];
    const isAlone =
      last && !choices.some((deed) => deed !== last && mayEndAfter(deed, last) && deed.began - skew < ended);
    return isAlone && last.kind === "memory-off" && last.outcome === "done";
  };
  const remembered = sights.flatMap(({ kind, texts, action }) =>
    kind !== "memories"
      ? []
      : texts.flatMap((text) => {
          const deed = deeds.find((one) => one.action === readText(text)?.action && isSaying(one));
          const isSaidOff = deed && isOff({ ...deed, ended: Math.max(deed.ended, deed.effective()) });
          return isSaidOff
            ? [{ rule: "what was said with memory off is remembered", detail: `${text}, seen by ${action}` }]
            : [];
        }),
  );
  const recalled = recalls.filter(isOff).map(({ action }) => ({
    rule: "a chat recalls although memory is off",
    detail: `action ${action}`,
  }));
  return [...remembered, ...recalled];
}

const isChoice = ({ kind }: Deed): boolean => kind === "memory-on" || kind === "memory-off";

/** Whether a choice may have taken effect after another one. */
const mayEndAfter = (deed: Deed, other: Deed): boolean =>
  deed.outcome !== "refused" && Math.max(deed.ended, deed.effective()) >= other.began;

/** Whether what a deed has said may not have been remembered, because memory was off at some time. */
export const mayBeUnremembered = ({ deeds }: History, { user }: Deed): boolean =>
  deeds.some((deed) => deed.user === user && deed.kind === "memory-off" && deed.outcome !== "refused");
