/** What a life is made of: actions with their times and faults, all drawn from the seed before it begins. */
import { type Random, randomOf } from "../support/random.ts";
import type { Fault } from "./instance.ts";
import { faultsOf, type Weather } from "./world.ts";

const KINDS = [
  "create",
  "append",
  "chat",
  "completion",
  "stream",
  "follow",
  "regenerate",
  "edit",
  "switch",
  "cut",
  "stop",
  "read",
  "path",
  "get",
  "search",
  "memories",
  "list",
  "patch",
  "reset",
  "restore",
  "delete",
  "forget-one",
  "forget-all",
  "expire",
  "export",
  "erase",
  "memory",
  "sweep",
  "reconcile",
  "build",
] as const;

type Kind = (typeof KINDS)[number];

/** How often each kind is drawn, in relation to the others. */
const WEIGHTS: Record<Kind, number> = {
  create: 10,
  append: 22,
  chat: 8,
  completion: 4,
  stream: 6,
  follow: 1,
  regenerate: 5,
  edit: 10,
  switch: 5,
  cut: 5,
  stop: 1,
  read: 10,
  path: 3,
  get: 3,
  search: 6,
  memories: 2,
  list: 1,
  patch: 4,
  reset: 8,
  restore: 8,
  delete: 11,
  "forget-one": 2,
  "forget-all": 1,
  expire: 2,
  export: 6,
  erase: 4,
  memory: 5,
  sweep: 14,
  reconcile: 14,
  build: 2,
};

export interface Action {
  id: number;
  /** Milliseconds since the beginning of the life. */
  at: number;
  kind: Kind;
  user: string;
  session: string;
  /** Messages that `append` has. */
  messages: number;
  /** Seconds of idleness after which a session of `create` expires. */
  ttl: number;
  /** Whether the client names its request by a key, and repeats it by that when it fails. */
  keyed: boolean;
  /** Whether the client sends its request once more although it was answered. */
  repeats: boolean;
  /** Faults by attempt. */
  faults: readonly (readonly Fault[])[];
}

export interface Plan {
  seed: number;
  weather: Weather;
  /** The sessions that are incognito whenever they are created, as `<user>/<session>`. */
  incognito: readonly string[];
  actions: Action[];
}

/** The ids of the sessions that a user may have. */
export const SESSIONS = ["s1", "s2"];

/** Attempts of a client at one request. */
export const ATTEMPTS = 3;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** After this the archive of a session has reached its age. */
export const YEAR = 366 * 24 * HOUR;

/** Actions on one session shortly after each other: one actor stopped amid its work before them, or stubs have expired. */
interface Scene {
  kinds: readonly Kind[];
  user: string;
  session: string;
  /** Actions that follow later. */
  left: number;
}

/** How often a session is incognito. */
const INCOGNITO = 0.25;

/** How often a scene begins. */
const SCENES = 0.06;

/** Actions that ask the model, or may, and how often a client stops or follows the turn of one soon after it. */
const ASKING: ReadonlySet<Kind | undefined> = new Set(["chat", "completion", "edit", "stream", "regenerate"] as const);
const STOPS = 0.4;
const FOLLOWS = 0.3;

const STALLED = [
  "restore",
  "restore",
  "reset",
  "delete",
  "reconcile",
  "reconcile",
  "append",
  "chat",
  "patch",
  "edit",
  "stream",
  "regenerate",
  "switch",
  "cut",
] as const;
const MEANWHILE = [
  "delete",
  "delete",
  "create",
  "create",
  "append",
  "append",
  "reset",
  "restore",
  "sweep",
  "read",
  "edit",
  "edit",
  "regenerate",
  "switch",
  "cut",
] as const;

const AFTERWARDS = ["create", "create", "append", "append", "edit", "read", "delete"] as const;

export function planLife(seed: number): Plan {
  const random = randomOf(seed, "plan");
  const users = random.chance(0.2) ? ["ann", "bob"] : ["ann"];
  const sessions = random.chance(0.3) ? SESSIONS : SESSIONS.slice(0, 1);
  const faulty = random.pick([0, 0.15, 0.3]);
  const weather: Weather = {
    skew: random.chance(0.5),
    lag: random.chance(0.5),
    late: random.chance(0.6),
    twice: random.chance(0.5),
    faulty: random.chance(0.5),
  };
  const count = 10 + random.below(18);
  const actions: Action[] = [];
  let at = 0;
  let scene: Scene | undefined;
  for (let id = 0; id < count; id++) {
    const previous = actions.at(-1);
    const isStop = !scene && ASKING.has(previous?.kind) && random.chance(STOPS);
    const gap = isStop ? random.below(random.pick([100, 1000, 4000])) : scene ? 60 + random.below(500) : gapOf(random);
    at += gap;
    // After a while something is due: that is when schedules and TTL meet clients who come back.
    const isDue = !isStop && gap > MINUTE && random.chance(0.4);
    const usual = isStop
      ? random.chance(FOLLOWS)
        ? "follow"
        : "stop"
      : isDue
        ? random.pick(["reconcile", "reconcile", "sweep"] as const)
        : kindOf(random);
    const whose = scene ??
      (isStop && previous ? { ...previous, left: 0 } : undefined) ?? {
        user: random.pick(users),
        session: random.pick(sessions),
        left: 0,
      };
    const faults = Array.from({ length: ATTEMPTS }, (_, attempt) => faultsOf(seed, `action ${id} ${attempt}`, faulty));
    const isAged = gap === YEAR;
    const begins = !isAged && !isStop && !scene && id > 1 && random.chance(SCENES);
    if (begins) faults[0] = [{ kind: "stalled", call: random.below(10), stall: 2000 + random.below(30_000) }];
    const next = scene ? random.pick(scene.kinds) : usual;
    const acted = begins ? random.pick(STALLED) : isAged ? "sweep" : next;
    actions.push({
      id,
      at,
      kind: id === 0 ? "create" : id === 1 ? "append" : acted,
      user: whose.user,
      session: whose.session,
      messages: 1 + random.below(random.chance(0.1) ? 8 : 2),
      ttl: random.pick([60, 60, 60, 600, 0]),
      keyed: random.chance(0.8),
      repeats: random.chance(0.1),
      faults,
    });
    if (begins) scene = { ...whose, kinds: MEANWHILE, left: 2 + random.below(5) };
    else if (isAged) scene = { ...whose, kinds: AFTERWARDS, left: 2 + random.below(4) };
    else if (scene) scene = scene.left > 1 ? { ...scene, left: scene.left - 1 } : undefined;
  }
  const hidden = randomOf(seed, "incognito");
  const names = users.flatMap((user) => sessions.map((session) => `${user}/${session}`));
  return { seed, weather, incognito: names.filter(() => hidden.chance(INCOGNITO)), actions };
}

function kindOf(random: Random): Kind {
  let at = random.below(Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0));
  for (const kind of KINDS) {
    at -= WEIGHTS[kind];
    if (at < 0) return kind;
  }
  throw new Error("the weights do not add up");
}

/** Milliseconds until the next action: mostly so few that the actions are under way together. */
function gapOf(random: Random): number {
  const share = random.next();
  if (share < 0.45) return random.below(40);
  if (share < 0.65) return random.below(1000);
  if (share < 0.77) return random.below(MINUTE);
  if (share < 0.94) return MINUTE + random.below(20 * MINUTE);
  if (share < 0.99) return random.below(30 * HOUR);
  return YEAR;
}

/** The plan without some of its actions, faults or weather. */
export function without(plan: Plan, { actions, faults, weather }: Cut): Plan {
  return {
    seed: plan.seed,
    incognito: plan.incognito,
    weather: { ...plan.weather, ...Object.fromEntries(weather.map((name) => [name, false])) },
    actions: plan.actions
      .filter(({ id }) => !actions.includes(id))
      .map((action) => (faults.includes(action.id) ? { ...action, faults: [] } : action)),
  };
}

/** What a shorter history leaves out. */
export interface Cut {
  /** Ids of actions. */
  actions: readonly number[];
  /** Ids of actions whose faults are left out. */
  faults: readonly number[];
  weather: readonly (keyof Weather)[];
}

export const nothing: Cut = { actions: [], faults: [], weather: [] };
