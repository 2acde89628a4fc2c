/** What a person asks for: an export, an erasure, and that nothing is remembered. */
import type { MessageLine, SessionLine } from "../../shared/exports/export-format.ts";
import { textOfUser, unpack } from "./bucket-exports.ts";
import { deploy, GRACE } from "./deployment.ts";
import type { Deed, History } from "./history.ts";
import { itemsOf, type Listed } from "./message-list.ts";
import { SKEW } from "./model.ts";
import { type Action, SESSIONS } from "./plan.ts";
import { attemptsOf, createRequests, keyOf } from "./requests.ts";
import { faultsOf, type World } from "./world.ts";

/** How often a client asks whether its export is ready: each time it waits three times as long. */
const ASKS = 12;

/** Runs of the erasure job that a client waits for. */
const RUNS = 8;

export function createPerson(world: World, history: History) {
  const { timeline, bucket } = world;
  const { send, note, see, request } = createRequests(world, history);

  return {
    /** Every session in the zip is a list of messages that was read at a time between the request and the end. */
    async export(action: Action): Promise<void> {
      const { user } = action;
      const { reply } = await send(action, request(action, "createExport", { params: {}, key: keyOf(action) }));
      if (reply?.status !== 202) return;
      const params = { id: String(reply.body.id) };
      // The answer may be an export that runs already.
      const began = Date.parse(reply.body.created_at) - SKEW;
      for (let ask = 0; ask < ASKS; ask++) {
        await timeline.wait(1000 * 3 ** ask);
        const answer = (await send(action, request(action, "getExport", { params }))).reply;
        if (answer?.status !== 200 || answer.body.status === "failed") return;
        const zip = answer.body.status === "ready" && bucket.exports.get(answer.body.url)?.body;
        // An erasure may have deleted it since the answer.
        if (answer.body.status === "ready" && !zip) return;
        if (!zip) continue;
        const sessions = sessionsIn(unpack(zip));
        for (const session of SESSIONS) {
          const lines = sessions.get(session);
          const when = { user, session, began };
          history.presences.push({ action: action.id, ...when, ended: timeline.now(), exists: lines !== undefined });
          if (!lines) continue;
          const items = itemsOf(lines as Listed[]);
          see(action, {
            kind: "messages",
            ...when,
            isWhole: true,
            items,
            texts: items.flatMap(({ text }) => text || []),
          });
        }
        return;
      }
    },

    /** Asks for an erasure and lets its job run until the receipt is complete. The end of the life completes the others. */
    async erase(action: Action): Promise<void> {
      const { user, id, faults } = action;
      const body = {};
      const told = await send(
        action,
        request(action, "createErasure", { params: {}, body, key: keyOf(action) }),
        attemptsOf(action),
      );
      const receipt = told.reply?.status === 202 ? told.reply.body : undefined;
      const began = receipt ? Date.parse(receipt.requested_at) - SKEW : told.began;
      let ended = Number.POSITIVE_INFINITY;
      for (let run = 0; receipt && run < RUNS && ended === Number.POSITIVE_INFINITY; run++) {
        await timeline.wait(run === 1 ? GRACE : 200_000);
        const own = world.weather.faulty ? faultsOf(world.seed, `${id} eraser ${run}`, 0.4) : [];
        const instance = world.instance(`${id} eraser ${run}`, [...(faults[run] ?? []), ...own]);
        await Promise.race([
          deploy(world, instance)
            .erase()
            .catch(() => undefined),
          instance.death,
        ]);
        const stored = storedOf(world, user);
        const params = { id: String(receipt.id) };
        const answer = (await send(action, request(action, "getErasure", { params }))).reply;
        if (answer?.body?.status !== "complete") continue;
        ended = timeline.now();
        const left = answer.body.stores.filter(({ remaining }: { remaining: number }) => remaining > 0);
        history.erasures.push({ user, began, stored, left });
      }
      const outcome = told.outcome === "refused" ? "refused" : ended < Number.POSITIVE_INFINITY ? "done" : "lost";
      // It may have an effect until it is complete.
      const what: Omit<Deed, "kind" | "session" | "effective" | "isHit"> = {
        action: id,
        user,
        says: [],
        creates: false,
        outcome,
        began: told.began,
        ended,
      };
      const deed = { ...what, effective: () => ended, isHit: () => true };
      for (const session of SESSIONS) history.deeds.push({ kind: "delete", session, ...deed });
      history.deeds.push({ kind: "erase", session: "", ...deed });
    },

    async memory(action: Action): Promise<void> {
      const memory = action.id % 2 === 0;
      const told = await send(action, request(action, "patchSettings", { params: {}, body: { memory } }));
      note(action, memory ? "memory-on" : "memory-off", [], told);
    },
  };
}

export type PersonClient = ReturnType<typeof createPerson>;

/** Everything that is stored of a user and says something, as text. */
export function storedOf({ dynamo, bucket }: World, user: string): string {
  const tables = ["conversations", "metrics", "exports"].flatMap((name) => dynamo.table(name).all());
  return [...tables.map((item) => JSON.stringify(item)), textOfUser(bucket, user)].join("\n");
}

function sessionsIn(files: Map<string, string>): Map<string, MessageLine[]> {
  const sessions = new Map<string, MessageLine[]>();
  const lines = [...files]
    .filter(([path]) => path.startsWith("sessions"))
    .flatMap(([, text]) => text.trim().split("\n"));
  let messages: MessageLine[] = [];
  for (const line of lines.map((text) => JSON.parse(text) as SessionLine | MessageLine)) {
    if (line.type === "message") messages.push(line);
    else {
      messages = [];
      sessions.set(line.id, messages);
    }
  }
  return sessions;
}
