/**
 * An instance of a function: its clock, its connection to the stores, and its faults. Every store call waits for its turn here, and
 * the instance's own random numbers say how long, so that dropping one actor changes nothing about the others.
 */
import type { Random } from "../support/random.ts";
import { randomOf } from "../support/random.ts";
import type { Timeline } from "./timeline.ts";

/**
 * `throttled`: the call is refused. `lost-before`, `lost-after`: the connection breaks before or after the call is carried out.
 * `repeated`: the SDK sends the call twice, because the first answer is lost. `crash-before`, `crash-after`: the instance dies.
 * `stalled`: the instance does nothing for a while before the call.
 */
const FAULTS = [
  "throttled",
  "lost-before",
  "lost-after",
  "repeated",
  "crash-before",
  "crash-after",
  "stalled",
] as const;

export interface Fault {
  kind: (typeof FAULTS)[number];
  /** Which call of the instance it hits, from 0. */
  call: number;
  /** Milliseconds that `stalled` takes. */
  stall: number;
}

/** Says in the trace what happened, and when. */
export type Trace = (line: () => string) => void;

/** A call to a store. */
export interface Call<T> {
  /** What the trace says of it. */
  label: () => string;
  execute: () => T;
  /** Makes the error that the store's client throws. */
  fail: (kind: StoreFailure) => Error;
  /** The store knows a repetition of it, and does nothing then. */
  hasToken?: boolean;
}

interface InstanceOptions {
  /** Tells it from all others of the life: its random numbers follow from it. */
  name: string;
  /** Milliseconds by which its clock is ahead. */
  skew: number;
  faults: readonly Fault[];
}

export type StoreFailure = "throttled" | "lost";

export class Instance {
  readonly name: string;
  readonly clock: () => number;
  readonly random: Random;
  readonly death: Promise<void>;
  /** When its last call reached a store: after that it has changed nothing. */
  lastCall: number;
  /** Whether a fault has hit it. */
  hit = false;
  private state: "running" | "frozen" | "dead" = "running";
  private calls = 0;
  private die: () => void = () => {};
  private waiting: (() => void)[] = [];
  private readonly timeline: Timeline;
  private readonly trace: Trace;
  private readonly faults: readonly Fault[];

  constructor(timeline: Timeline, seed: number, { name, skew, faults }: InstanceOptions, trace: Trace) {
    this.name = name;
    this.timeline = timeline;
    this.trace = trace;
    this.faults = faults;
    this.clock = () => Math.floor(timeline.now()) + skew;
    this.random = randomOf(seed, name);
    this.lastCall = timeline.now();
    this.death = new Promise((resolve) => {
      this.die = resolve;
    });
  }

  /** Sends a call to a store: it is carried out when its turn comes. */
  call<T>({ label, execute, fail, hasToken = false }: Call<T>): Promise<T> {
    const number = this.calls++;
    const fault = this.faults.find(({ call }) => call === number);
    if (fault) this.hit = true;
    const delay = latencyOf(this.random) + (fault?.kind === "stalled" ? fault.stall : 0);
    return new Promise((resolve, reject) => {
      const arrive = () => {
        if (this.state === "dead") return;
        if (this.state === "frozen") {
          this.waiting.push(arrive);
          return;
        }
        const lose = (kind: StoreFailure) => reject(fail(kind));
        this.trace(() => `${this.name}: ${label()}${fault ? `  <${fault.kind}>` : ""}`);
        if (fault?.kind === "crash-before") return this.kill();
        if (fault?.kind === "throttled") return lose("throttled");
        if (fault?.kind === "lost-before") return lose("lost");
        this.lastCall = this.timeline.now();
        const outcome = attempt(execute);
        const last = fault?.kind === "repeated" && !(hasToken && "value" in outcome) ? attempt(execute) : outcome;
        if (fault?.kind === "crash-after") return this.kill();
        if (fault?.kind === "lost-after") return lose("lost");
        if ("error" in last) reject(last.error);
        else resolve(last.value);
      };
      this.timeline.at(this.timeline.now() + delay, arrive);
    });
  }

  /** It has answered, so the platform stops it. It may go on where it was when it is thawed for another request. */
  freeze(): void {
    if (this.state !== "running") return;
    this.state = "frozen";
    if (this.random.chance(0.6)) {
      this.kill();
      return;
    }
    const pause = this.random.pick([1000, 20_000, 600_000, 5_000_000]) * this.random.next();
    this.timeline.at(this.timeline.now() + pause, () => {
      if (this.state !== "frozen") return;
      this.state = "running";
      for (const arrive of this.waiting.splice(0)) arrive();
    });
  }

  kill(): void {
    this.state = "dead";
    this.waiting = [];
    this.die();
  }
}

type Outcome<T> = { value: T } | { error: unknown };

function attempt<T>(execute: () => T): Outcome<T> {
  try {
    return { value: execute() };
  } catch (error) {
    return { error };
  }
}

/** Milliseconds: mostly few, at times many. */
function latencyOf(random: Random): number {
  const share = random.next();
  if (share < 0.85) return 1 + random.below(12);
  if (share < 0.97) return 10 + random.below(200);
  return 200 + random.below(3000);
}
