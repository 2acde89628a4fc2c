/** What must hold of answers that clients may have stopped: each has one end, and none is stopped without a stop. */

import { timeOf } from "../../shared/session/message.ts";
import type { AnswerEnd, Deed, History } from "./history.ts";
import { isOf, isRemoval, lastEffect, SKEW, type Violation } from "./model.ts";

export function judgeStops(history: History): Violation[] {
  const violations: Violation[] = [];
  for (const [id, ends] of Map.groupBy(history.ends, (end) => `${end.user}/${end.session}/${end.id}`)) {
    const statuses = [...new Set(ends.map(({ status }) => status))];
    const [stopped] = ends.filter(({ status }) => status === "stopped");
    if (!stopped) continue;
    // A request that is repeated after its messages were deleted, or after their incognito session has expired, runs another turn with the same id.
    const mayEnd = history.incognito.has(`${stopped.user}/${stopped.session}`);
    if (statuses.length > 1 && !mayEnd && !history.deeds.some((deed) => isOf(deed, stopped) && mayRepeat(deed)))
      violations.push({ rule: "an answer has two ends", detail: `${id}: ${statuses.join(", ")}` });
    if (!history.deeds.some((deed) => mayHaveStopped(deed, stopped)))
      violations.push({ rule: "an answer is stopped that no client has stopped", detail: id });
  }
  return violations;
}

const mayRepeat = (deed: Deed): boolean => (isRemoval(deed) || deed.kind === "cut") && deed.outcome !== "refused";

/** Whether a stop ran after the turn had begun: its answer's id has that time. */
const mayHaveStopped = (deed: Deed, end: AnswerEnd): boolean =>
  deed.kind === "stop" &&
  deed.outcome !== "refused" &&
  isOf(deed, end) &&
  deed.began <= end.ended &&
  lastEffect(deed) + SKEW >= timeOf(end.id);
