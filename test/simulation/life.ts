/** Runs one life: its plan's actions in virtual time, then its end, then the judgement. */
import { createSHA256 } from "hash-wasm";
import { randomOf } from "../support/random.ts";
import { type Client, createClient } from "./client.ts";
import { deploy } from "./deployment.ts";
import type { History } from "./history.ts";
import { judgeBranches } from "./judge-branches.ts";
import { judgePerson } from "./judge-person.ts";
import { judgeStops } from "./judge-stops.ts";
import { judge, type Violation } from "./model.ts";
import { createPerson, type PersonClient } from "./person.ts";
import { type Action, type Plan, YEAR } from "./plan.ts";
import { endLife } from "./quiet.ts";
import { inVirtualMachine } from "./virtual-machine.ts";
import { BEGINNING, createWorld, faultsOf, type World } from "./world.ts";

export interface Life {
  violations: Violation[];
  /** What happened, line by line; empty unless it was traced. */
  trace: string[];
  history: History;
}

const DAY = 86_400_000;

// The first use compiles WebAssembly in another thread, in real time. The same seed would not give the same life.
await createSHA256();

export function runLife(plan: Plan, isTraced = false): Promise<Life> {
  const world = createWorld(plan, isTraced);
  return inVirtualMachine(world.timeline, randomOf(plan.seed, "machine"), () => live(world, plan));
}

async function live(world: World, plan: Plan): Promise<Life> {
  const history: History = {
    served: 0,
    audited: [],
    erasures: [],
    recalls: [],
    deeds: [],
    sights: [],
    presences: [],
    ends: [],
    ages: agesOf(plan),
    incognito: world.incognito,
  };
  const client = { ...createClient(world, history), ...createPerson(world, history) };
  const failures: unknown[] = [];
  world.consumers.archive = async (instance, Records) => {
    const { batchItemFailures } = await deploy(world, instance).archiveJob({ Records });
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  };
  world.consumers.remember = async (instance, Records) => {
    const { batchItemFailures } = await deploy(world, instance).rememberJob({ Records });
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  };
  world.consumers["build-export"] = async (instance, Records) => {
    const { batchItemFailures } = await deploy(world, instance).exportJob(
      { Records },
      { getRemainingTimeInMillis: () => 900_000 },
    );
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  };
  world.consumers.audit = async (instance, Records) => {
    const { batchItemFailures } = await deploy(world, instance).auditJob({ Records });
    return batchItemFailures.length > 0 ? Records.map(({ dynamodb }) => dynamodb?.SequenceNumber ?? "") : [];
  };
  for (const action of plan.actions) {
    world.timeline.at(BEGINNING + action.at, () => {
      act(world, client, action).catch((error: unknown) => failures.push(error));
    });
  }
  await world.timeline.drain();
  const violations = await endLife(world, plan, history, client);
  if (failures.length > 0) throw failures[0];
  return {
    violations: [
      ...world.problems,
      ...judge(history, plan.weather),
      ...judgeBranches(history, plan.weather),
      ...judgeStops(history),
      ...judgePerson(history, plan.weather),
      ...violations,
    ],
    trace: world.lines,
    history,
  };
}

/** When a year has passed: what was archived before has reached its age. */
function agesOf({ actions }: Plan): number[] {
  return actions.flatMap(({ at }, n) => (at - (actions[n - 1]?.at ?? at) >= YEAR ? [BEGINNING + at] : []));
}

async function act(world: World, client: Client & PersonClient, action: Action): Promise<void> {
  world.trace(() => `--- ${describe(action)}`);
  const job = (name: string) => {
    const { seed, weather } = world;
    const own = weather.faulty ? faultsOf(seed, `${action.id} ${name}`, 0.3) : [];
    return world.instance(`${action.id} ${name}`, [...(action.faults[0] ?? []), ...own]);
  };
  switch (action.kind) {
    case "sweep":
      world.bucket.expire(world.timeline.now() - 365 * DAY);
      // DynamoDB takes what has expired in no order, and leaves some of it for later.
      return world.table.expire(Math.floor(world.timeline.now() / 1000), ({ pk, sk }) =>
        randomOf(world.seed, "sweep", action.id, String(pk), String(sk)).chance(0.8),
      );
    case "reconcile": {
      const instance = job("reconciler");
      await Promise.race([
        deploy(world, instance)
          .reconcile()
          .catch(() => undefined),
        instance.death,
      ]);
      return;
    }
    case "build": {
      const instance = job("builder");
      await Promise.race([
        deploy(world, instance)
          .buildLake()
          .catch(() => undefined),
        instance.death,
      ]);
      return;
    }
    case "read":
      await client.read(action, action, action.id % 2 === 0 ? "all" : "current");
      return;
    case "forget-one":
      return client.forgetOne(action);
    case "forget-all":
      return client.forgetAll(action);
    default:
      return client[action.kind](action);
  }
}

export function describe({ id, kind, user, session, faults, messages, ttl, keyed, repeats }: Action): string {
  const details: Partial<Record<Action["kind"], string>> = {
    create: `, ttl ${ttl} s`,
    append: `, ${messages} message${messages === 1 ? "" : "s"}`,
    build: "",
    reconcile: "",
    sweep: "",
  };
  const whose = ["sweep", "reconcile", "build"].includes(kind) ? "" : ` ${user}/${session}`;
  const how = faults.flatMap((each, attempt) =>
    each.map(({ kind: fault, call }) => `${fault} at call ${call}${attempt > 0 ? ` of attempt ${attempt}` : ""}`),
  );
  const client = `${keyed ? "" : ", without a key"}${repeats ? ", sent again later" : ""}`;
  return `${id} ${kind}${whose}${details[kind] ?? ""}${whose ? client : ""}${how.length > 0 ? ` [${how.join("; ")}]` : ""}`;
}
