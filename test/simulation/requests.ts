/** How the clients send requests, repeat them when they are not answered, and note what they know of them. */
import { type Operation, operations } from "../../shared/http/operations.ts";
import { type ApiRequest, deploy, type Reply } from "./deployment.ts";
import type { Deed, History, Outcome, Sight } from "./history.ts";
import type { Instance } from "./instance.ts";
import { textsIn } from "./message-list.ts";
import { type Action, ATTEMPTS } from "./plan.ts";
import type { World } from "./world.ts";

/** Milliseconds that a client waits for an answer, and before it repeats its request. */
const PATIENCE = 31_000;
const PAUSE = 400;
const LONG_PAUSE = 26_000;

/** What a client knows of a request that it has sent. */
export interface Told {
  outcome: Outcome;
  reply: Reply | undefined;
  began: number;
  ended: number;
  instances: Instance[];
}

/** The key that names a request of an action, if the client gives it one. */
export const keyOf = ({ id, keyed }: Action): string | undefined => (keyed ? `key-${id}` : undefined);

/** Without a key, a repetition would have an effect of its own. */
export const attemptsOf = ({ keyed }: Action): number => (keyed ? ATTEMPTS : 1);

export function createRequests(world: World, history: History) {
  const { timeline } = world;

  /** Sends a request until it is answered. `attempts` is 1 where a repetition would have an effect of its own. */
  async function send(action: Action, request: ApiRequest, attempts = ATTEMPTS): Promise<Told> {
    const began = timeline.now();
    const told: Told = { outcome: "refused", reply: undefined, began, ended: Number.POSITIVE_INFINITY, instances: [] };
    for (let attempt = 0; attempt < attempts; attempt++) {
      const sent = timeline.now();
      const { instance, reply } = await once(action, request, attempt);
      told.instances.push(instance);
      // A deletion of messages may find the session, but not the message.
      const { id: asked, message_id } = request.params ?? {};
      if (attempt === 0 && reply?.status === 404 && asked === action.session && !message_id) {
        const { user, session, id } = action;
        history.presences.push({ action: id, user, session, began: sent, ended: timeline.now(), exists: false });
      }
      const isConflict = reply?.status === 409 && request.operation !== "createSession";
      if (reply && reply.status < 500 && reply.status !== 429 && !isConflict) {
        const isDone = reply.status < 300;
        // What a repetition is refused for may be the effect of the first attempt.
        return { ...told, reply, ended: timeline.now(), outcome: isDone ? "done" : told.outcome };
      }
      if (reply?.status !== 429) told.outcome = "lost";
      if (reply?.status === 409 && request.operation === "createSession")
        return { ...told, reply, ended: timeline.now() };
      // The first attempt may be under way still, or its function may have died: then its turn is over after half a minute.
      await timeline.wait(reply?.status === 409 ? LONG_PAUSE : PAUSE * (attempt + 1));
    }
    return told;
  }

  async function once(action: Action, request: ApiRequest, attempt: number) {
    const instance = world.instance(
      `${action.id} ${action.kind}${attempt > 0 ? ` attempt ${attempt}` : ""}`,
      action.faults[attempt],
    );
    const request_id = `${instance.name} ${request.operation}`;
    const operation: Operation = operations[request.operation];
    const answered = deploy(world, instance)
      .serve({ ...request, request_id })
      .then((reply) => {
        history.served++;
        if (operation.audited) history.audited.push({ request_id, status: reply.status });
        instance.freeze();
        world.trace(() =>
          `${instance.name}: answers ${reply.status} ${JSON.stringify(reply.body) ?? ""}`.slice(0, 400),
        );
        return reply;
      });
    const lost = instance.death.then(() => undefined);
    const late = timeline.wait(PATIENCE).then(() => undefined);
    return { instance, reply: await Promise.race([answered, lost, late]) };
  }

  function note(
    action: Action,
    kind: Deed["kind"],
    says: string[],
    told: Told,
    more: Pick<Partial<Deed>, "creates" | "choice" | "answers" | "usage"> = {},
  ): void {
    const { user, session, id } = action;
    history.deeds.push({
      kind,
      action: id,
      user,
      session,
      says,
      creates: false,
      ...more,
      began: told.began,
      ended: told.ended,
      outcome: told.outcome,
      effective: () => Math.max(...told.instances.map(({ lastCall }) => lastCall)),
      isHit: () => told.instances.length > 1 || told.instances.some(({ hit }) => hit),
    });
  }

  function see(action: Action | "end", sight: Omit<Sight, "action" | "ended">): void {
    const when = { action: action === "end" ? action : action.id, ended: timeline.now() };
    history.sights.push({ ...sight, ...when });
    const { user, session, items = [] } = sight;
    for (const { id, status } of items)
      if (status !== undefined) history.ends.push({ id, status, user, session, ...when });
  }

  const request = (action: Action, operation: ApiRequest["operation"], more: Partial<ApiRequest> = {}): ApiRequest => ({
    operation,
    user: action.user,
    params: { id: action.session },
    ...more,
  });
  /** Sends an answered request once more, much later or soon: it must not give back what was deleted meanwhile. */
  async function repeat(action: Action, sent: ApiRequest, told: Told): Promise<void> {
    // A request whose answer could not be kept runs once more, which is what its client asks for.
    const isKept = told.outcome === "done" && !told.instances.some(({ hit }) => hit);
    if (!action.keyed || !action.repeats || !isKept) return;
    await timeline.wait((action.id % 3) * 400_000 + 1000);
    const began = timeline.now();
    const { reply } = await once(action, sent, ATTEMPTS);
    if (reply?.status !== 201 && reply?.status !== 200) return;
    const texts = textsIn(reply.body);
    see(action, { kind: "kept answer", user: action.user, session: action.session, began, isWhole: false, texts });
  }

  return { send, repeat, note, see, request };
}
