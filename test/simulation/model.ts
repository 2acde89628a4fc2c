/**
 * The model: what must hold of everything that clients were told, whatever happened below. A deed that was not answered may have
 * had its effect at any time between its beginning and its last call to a store, or none; so only what follows with
 * certainty is asked.
 */
import type { Deed, History, Presence, Sight } from "./history.ts";
import type { Weather } from "./world.ts";

export interface Violation {
  /** Which invariant does not hold; two failures are alike when they break the same one. */
  rule: string;
  detail: string;
}

/** Milliseconds by which the clocks of two instances differ at most. */
export const SKEW = 4000;

/** Which text it is: of which action, which of its messages, and whether it is the model's answer. */
interface Told {
  action: number;
  n: number;
  isAnswer: boolean;
}

export function readText(text: string): Told | null {
  const match = /z(\d+)x(\d+)q/.exec(text);
  return match ? { action: Number(match[1]), n: Number(match[2]), isAnswer: !text.startsWith("said ") } : null;
}

/** Equal for the same message, also for an answer that broke off. */
export const nameOf = ({ action, n, isAnswer }: Told): string => `${action}.${n}.${isAnswer ? "answer" : "said"}`;

export const namesOf = (texts: readonly string[]): string[] =>
  texts.map((text) => {
    const told = readText(text);
    return told ? nameOf(told) : text;
  });

export function judge(history: History, weather: Weather): Violation[] {
  return [
    ...history.sights.flatMap((sight) => judgeSight(history, sight, weather)),
    ...history.presences.flatMap((presence) => judgePresence(history, presence)),
  ];
}

function judgeSight(history: History, sight: Sight, weather: Weather): Violation[] {
  const violations: Violation[] = [];
  const fail = (rule: string, detail: string) =>
    violations.push({
      rule,
      detail: `${detail} (${sight.kind} of ${sight.user}/${sight.session}, seen by ${sight.action})`,
    });
  const names = namesOf(sight.texts);
  for (const text of sight.texts) {
    const told = readText(text);
    const deed = history.deeds.find((one) => one.action === told?.action && isSaying(one));
    if (!told || !deed) fail("what was never said is served", text);
    else if (deed.outcome === "refused") fail("what was refused is served", text);
    else if (isDeleted(history, deed, sight) || isCut(history, deed, nameOf(told), sight))
      fail("what was deleted is served", text);
    else if (sight.kind === "memories" && isForgotten(history, deed, text, sight, weather)) {
      fail("what was forgotten is recalled", text);
    }
  }
  if (new Set(names).size < names.length) fail("a message is served twice", names.join(", "));
  if (sight.kind !== "messages" || !sight.isWhole) return violations;

  for (const deed of history.deeds) {
    if (
      !isSaying(deed) ||
      !isOf(deed, sight) ||
      deed.outcome !== "done" ||
      deed.ended >= sight.began ||
      mayBeRemoved(history, deed, sight)
    )
      continue;
    for (const name of namesOf(deed.says)) {
      if (!names.includes(name) && !mayBeCut(history, deed, name, sight)) fail("an acknowledged message is lost", name);
    }
  }
  for (const name of names.filter((one) => one.endsWith("answer"))) {
    const deed = history.deeds.find((one) => one.action === Number.parseInt(name, 10) && isSaying(one));
    // A list that is read beside a removal may show what is left of a turn.
    const isExcused = deed && mayBeRemoved(history, deed, sight);
    const question = deed?.answers ?? name.replace("answer", "said");
    if (!isExcused && !names.includes(question)) fail("an answer has no question", name);
  }
  const disorder = outOfOrder(history, names, weather);
  if (disorder) fail("messages are out of order", disorder);
  return violations;
}

function judgePresence(history: History, presence: Presence): Violation[] {
  const { exists, user, session, action } = presence;
  const deletions = history.deeds.filter((deed) => isOf(deed, presence) && deed.kind === "delete");
  const creations = history.deeds.filter((deed) => isOf(deed, presence) && deed.creates);
  const detail = `${user}/${session}, seen by ${action}`;
  if (exists) {
    const deletion = deletions.find(
      (deed) =>
        deed.outcome === "done" &&
        deed.ended < presence.began &&
        !creations.some((creation) => creation.outcome !== "refused" && creation.effective() >= deed.began),
    );
    return deletion ? [{ rule: "a deleted session is there", detail }] : [];
  }
  const creation = creations.find(
    (deed) =>
      deed.outcome === "done" &&
      deed.ended < presence.began &&
      !isAged(history, deed, presence) &&
      !deletions.some((deletion) => mayFollow(deletion, deed) && deletion.began <= presence.ended),
  );
  return creation ? [{ rule: "a session is not there", detail }] : [];
}

export const isOf = (deed: Deed, { user, session }: { user: string; session: string }): boolean =>
  deed.user === user && deed.session === session;

/** Whether a removal may have taken effect after a deed did. */
export const mayFollow = (removal: Deed, deed: Deed): boolean =>
  removal.outcome !== "refused" && (removal.outcome === "done" ? removal.ended : removal.effective()) >= deed.began;

export const isSaying = ({ kind }: Deed): boolean => kind === "append" || kind === "turn";

/** The shortest time, in milliseconds, after which an incognito session may expire, by any two clocks. */
const SHORTEST_LIFE = 60_000 - SKEW - 1000;

/** Whether the archive of what a deed has made may have reached its age, or the incognito session of the deed its end. */
const isAged = ({ ages, incognito }: History, deed: Deed, { ended }: { ended: number }): boolean =>
  ages.some((age) => deed.began < age && age <= ended) ||
  (incognito.has(`${deed.user}/${deed.session}`) && ended - deed.began >= SHORTEST_LIFE);

export const isRemoval = ({ kind }: Deed): boolean => kind === "delete" || kind === "reset";

export const mayBeRemoved = (history: History, deed: Deed, sight: Pick<Sight, "user" | "session" | "ended">): boolean =>
  isAged(history, deed, sight) ||
  history.deeds.some(
    (removal) => isRemoval(removal) && isOf(removal, sight) && mayFollow(removal, deed) && removal.began <= sight.ended,
  );

/** Whether a removal that began after the deed was over was acknowledged before the sight began. */
const isDeleted = (history: History, deed: Deed, sight: Sight): boolean =>
  history.deeds.some(
    (removal) =>
      isRemoval(removal) &&
      isOf(removal, deed) &&
      removal.outcome === "done" &&
      removal.began > deed.effective() &&
      removal.ended < sight.began,
  );

/** Whether it was deleted as one of the messages that a client had seen to follow the deleted one. */
const isCut = ({ deeds }: History, deed: Deed, name: string, sight: Sight): boolean =>
  deeds.some(
    (cut) =>
      cut.kind === "cut" &&
      isOf(cut, deed) &&
      cut.outcome === "done" &&
      cut.began > deed.effective() &&
      cut.ended < sight.began &&
      cut.choice?.subtree.includes(name),
  );

/** Whether it may be among the messages that were deleted. What the client had not seen may have followed the deleted message, too. */
export const mayBeCut = ({ deeds }: History, deed: Deed, name: string, { ended }: { ended: number }): boolean =>
  deeds.some(
    (cut) =>
      cut.kind === "cut" &&
      isOf(cut, deed) &&
      cut.began <= ended &&
      mayFollow(cut, deed) &&
      (cut.choice?.subtree.includes(name) || !cut.choice?.listed.includes(name)),
  );

function isForgotten(history: History, deed: Deed, text: string, sight: Sight, { skew }: Weather): boolean {
  return history.deeds.some((removal) => {
    if (removal.user !== deed.user || removal.outcome !== "done" || removal.ended >= sight.began) return false;
    if (removal.kind === "forget-one") return removal.says.includes(text) && !mayBeSaidAgain(history, deed, removal);
    return removal.kind === "forget-all" && removal.began - (skew ? SKEW : 0) > deed.effective();
  });
}

/** Whether the deed may have gone on after a reset or deletion that followed the forgetting: then the text is another memory. */
const mayBeSaidAgain = (history: History, deed: Deed, forgetting: Deed): boolean =>
  history.deeds.some(
    (removal) =>
      isRemoval(removal) && isOf(removal, deed) && removal.ended > forgetting.began && removal.began < deed.ended,
  );

/** Whether messages of the deed's session were deleted at the same time as the deed. */
export const ranBesideRemoval = (history: History, deed: Deed): boolean =>
  history.deeds.some(
    (removal) =>
      (isRemoval(removal) || removal.kind === "cut") &&
      isOf(removal, deed) &&
      removal.began < deed.ended &&
      removal.ended > deed.began,
  );

/** Whether a message of this deed may have been forgotten on request. */
export const mayBeForgotten = (history: History, deed: Deed, text: string): boolean =>
  history.deeds.some((removal) => {
    if (removal.user !== deed.user || removal.outcome === "refused") return false;
    if (removal.kind === "forget-one") return removal.says.includes(text);
    return removal.kind === "forget-all" && Math.min(removal.ended, removal.effective()) + 2 * SKEW >= deed.began;
  });

/** Two neighbours of which the second was said first; null when all is in order. */
function outOfOrder(history: History, names: readonly string[], { skew }: Weather): string | null {
  const deedOf = new Map(history.deeds.filter(isSaying).map((deed) => [deed.action, deed]));
  for (let n = 1; n < names.length; n++) {
    const [before = "", after = ""] = [names[n - 1], names[n]];
    const [[first = 0, place = 0], [second = 0, later = 0]] = [before, after].map((name) =>
      name.split(".").map(Number),
    ) as [number[], number[]];
    if (first === second) {
      if (place > later || (place === later && before.endsWith("answer"))) return `${before}, ${after}`;
      continue;
    }
    const [earlier, next] = [deedOf.get(first), deedOf.get(second)];
    // An attempt that continues after the answer may store again what was deleted meanwhile, at a later time.
    const latest = next ? Math.max(next.ended, next.effective()) : 0;
    if (earlier && next && latest + (skew ? SKEW : 0) < earlier.began) return `${before}, ${after}`;
  }
  return null;
}

/** The last time at which a deed may have changed something. */
export const lastEffect = ({ outcome, ended, effective }: Deed): number =>
  outcome === "done" ? Math.max(ended, effective()) : effective();
