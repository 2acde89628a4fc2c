/** What must hold of branches in the lists that clients have seen: paths, parents, and the branch that is current. */
import type { Choice, Deed, History, Item, Sight } from "./history.ts";
import {
  isOf,
  isRemoval,
  isSaying,
  lastEffect,
  mayBeCut,
  mayBeRemoved,
  mayFollow,
  namesOf,
  SKEW,
  type Violation,
} from "./model.ts";
import type { Weather } from "./world.ts";

/** An edit or a switch: it decides which branch is current. */
type Move = Deed & { choice: Choice };

export function judgeBranches(history: History, { skew }: Weather): Violation[] {
  return history.sights.flatMap(({ items, ...sight }) =>
    items && sight.isWhole ? judgeList(history, sight, items, skew ? SKEW : 0) : [],
  );
}

/** `skew`: milliseconds by which clocks may differ. */
function judgeList(history: History, sight: Sight, items: readonly Item[], skew: number): Violation[] {
  const violations: Violation[] = [];
  const fail = (rule: string, detail: string) =>
    violations.push({
      rule,
      detail: `${detail} (${sight.kind} of ${sight.user}/${sight.session}, seen by ${sight.action})`,
    });
  // An empty answer may have no name.
  const names = namesOf(items.map(({ text }) => text));
  const nameById = new Map(items.map(({ id }, n) => [id, names[n]]));

  // The pages of a list that is read beside other requests need not fit together.
  if (
    !history.deeds.some((deed) => isOf(deed, sight) && deed.began <= sight.ended && lastEffect(deed) >= sight.began)
  ) {
    for (const [n, { id, parent_id }] of items.entries()) {
      const earlier = items.slice(0, n).map((item) => item.id);
      const isInPlace =
        sight.kind !== "messages"
          ? parent_id === (earlier.at(-1) ?? null)
          : parent_id === null || earlier.includes(parent_id);
      if (!isInPlace) fail("a message does not follow its parent", `${names[n]} (${id}) follows ${parent_id}`);
    }
  }

  for (const deed of history.deeds.filter((one) => one.choice && isSaying(one) && isOf(one, sight))) {
    const says = namesOf(deed.says);
    const first = items[names.indexOf(says[0] ?? "")];
    if (!first || deed.outcome !== "done" || mayInterleave(history, deed, skew)) continue;
    const parent = deed.choice?.id ?? null;
    if (parent !== null && !nameById.has(parent)) continue;
    if (first.parent_id !== parent) {
      fail("an edit does not follow its parent", `${says[0]} follows ${first.parent_id} instead of ${parent}`);
    }
  }

  const move = sight.kind === "current" ? lastMove(history, sight) : undefined;
  const { choice, what } = move
    ? { choice: move.choice, what: `the current branch after ${move.action}` }
    : { choice: sight.choice, what: "a path" };
  if (!choice) return violations;
  const path = [...choice.path, ...namesOf(move?.says ?? [])];
  const expected = path.filter((name) => !isExcused(history, name, sight));
  const seen = names.filter((name) => expected.includes(name));
  if (String(seen) !== String(expected)) {
    fail("a branch lacks messages", `${what}: ${names.join(", ")} instead of ${expected.join(", ")}`);
  }
  const others = names.filter((name) => choice.listed.includes(name) && !path.includes(name));
  if (others.length > 0) fail("a branch has messages of others", `${what}: ${others.join(", ")}`);
  return violations;
}

/** The move that certainly decided which branch a list shows, if one did. */
function lastMove({ deeds }: History, sight: Sight): Move | undefined {
  const all = deeds.filter((deed) => isOf(deed, sight) && deed.outcome !== "refused" && deed.began <= sight.ended);
  const moves = all.filter((deed): deed is Move => deed.choice !== undefined && deed.kind !== "cut");
  const last = moves.findLast((move) => move.outcome === "done" && move.ended < sight.began);
  const isUncertain =
    last &&
    (all.some((deed) => isRemoval(deed) && mayFollow(deed, last)) ||
      moves.some((move) => move !== last && lastEffect(move) >= last.began));
  return isUncertain ? undefined : last;
}

function isExcused(history: History, name: string, sight: Sight): boolean {
  const deed = history.deeds.find((one) => isSaying(one) && one.action === Number.parseInt(name, 10));
  return !deed || mayBeRemoved(history, deed, sight) || mayBeCut(history, deed, name, sight);
}

/**
 * Whether a message of another request may have come between an edit and its parent. One whose clock is behind may have, and the answer
 * of a turn that died.
 */
const mayInterleave = (history: History, edit: Deed, skew: number): boolean =>
  history.deeds.some(
    (deed) =>
      deed !== edit &&
      isSaying(deed) &&
      isOf(deed, edit) &&
      deed.outcome !== "refused" &&
      deed.began - skew <= lastEffect(edit) &&
      (lastEffect(deed) + skew >= edit.began || (deed.kind === "turn" && deed.outcome !== "done")),
  );
