/** The clients: each action that is a request of the API, with what a client does when it is not answered. */
import { type ApiRequest, deploy, type Reply } from "./deployment.ts";
import type { Deed, History, Outcome, Sight } from "./history.ts";
import type { Instance } from "./instance.ts";
import { type Action, ATTEMPTS } from "./plan.ts";
import type { World } from "./world.ts";

/** Milliseconds that a client waits for an answer, and before it repeats its request. */
const PATIENCE = 31_000;
const PAUSE = 400;
const LONG_PAUSE = 26_000;

/** Messages of a page that clients ask for: few, so that a list has several. */
const PAGE = 4;

interface Told {
  outcome: Outcome;
  reply: Reply | undefined;
  began: number;
  ended: number;
  instances: Instance[];
}

/** Whether a message of an append has a file. */
export const hasFile = (action: number, n: number): boolean => action % 3 === 0 && n === 0;

const fileOf = (content: string) => ({ type: "file", data: `data:text/plain,${encodeURIComponent(content)}` });

export function createClient(world: World, history: History) {
  const { timeline } = world;

  /** Sends a request until it is answered. `attempts` is 1 where a repetition would have an effect of its own. */
  async function send(action: Action, request: ApiRequest, attempts = ATTEMPTS): Promise<Told> {
    const began = timeline.now();
    const told: Told = { outcome: "refused", reply: undefined, began, ended: Number.POSITIVE_INFINITY, instances: [] };
    for (let attempt = 0; attempt < attempts; attempt++) {
      const sent = timeline.now();
      const { instance, reply } = await once(action, request, attempt);
      told.instances.push(instance);
      if (attempt === 0 && reply?.status === 404 && request.params?.id === action.session) {
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
    const answered = deploy(world, instance)
      .serve(request)
      .then((reply) => {
        history.served++;
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

  function note(action: Action, kind: Deed["kind"], says: string[], told: Told, creates = false): void {
    const { user, session, id } = action;
    history.deeds.push({
      kind,
      action: id,
      user,
      session,
      says,
      creates,
      began: told.began,
      ended: told.ended,
      outcome: told.outcome,
      effective: () => Math.max(...told.instances.map(({ lastCall }) => lastCall)),
      isHit: () => told.instances.length > 1 || told.instances.some(({ hit }) => hit),
    });
  }

  function see(action: Action | "end", sight: Omit<Sight, "action" | "ended">): void {
    history.sights.push({ ...sight, action: action === "end" ? action : action.id, ended: timeline.now() });
  }

  const request = (action: Action, operation: ApiRequest["operation"], more: Partial<ApiRequest> = {}): ApiRequest => ({
    operation,
    user: action.user,
    params: { id: action.session },
    ...more,
  });
  const keyOf = (action: Action) => (action.keyed ? `key ${action.id}`.replace(" ", "-") : undefined);
  const attemptsOf = (action: Action) => (action.keyed ? ATTEMPTS : 1);

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

  return {
    async create(action: Action): Promise<void> {
      const body = { id: action.session, ttl_seconds: action.ttl };
      const sent = request(action, "createSession", { body, key: keyOf(action) });
      note(action, "create", [], await send(action, sent, attemptsOf(action)), true);
    },

    async append(action: Action): Promise<void> {
      const says = Array.from({ length: action.messages }, (_, n) => `said ${wordOf(action, n)}`);
      const body = {
        messages: says.map((content, n) => ({
          role: "user",
          ...(hasFile(action.id, n) ? { parts: [{ type: "text", text: content }, fileOf(content)] } : { content }),
          ...(n === 1 ? { id: `own-${action.id}` } : {}),
        })),
      };
      const sent = request(action, "appendMessages", { body, key: keyOf(action) });
      const told = await send(action, sent, attemptsOf(action));
      note(action, "append", says, told);
      await repeat(action, sent, told);
    },

    async chat(action: Action): Promise<void> {
      const question = `said ${wordOf(action, 0)}`;
      const sent = request(action, "chat", { body: { content: question, stream: false }, key: keyOf(action) });
      await turn(action, question, sent, true);
    },

    async completion(action: Action): Promise<void> {
      const question = `said ${wordOf(action, 0)}`;
      const body = {
        model: "fake",
        messages: [{ role: "user", content: question }],
        metadata: { session_id: action.session },
      };
      await turn(action, question, request(action, "createCompletion", { body, key: keyOf(action) }), true);
    },

    /** Reads all messages of a session. Gives null when it is not there. */
    async read(
      action: Action | "end",
      user: string,
      session: string,
      instance?: Instance,
    ): Promise<string[] | null | undefined> {
      const began = timeline.now();
      const texts: string[] = [];
      let cursor: string | null = null;
      do {
        const query = { order: "asc", limit: String(PAGE), ...(cursor ? { cursor } : {}) };
        const sent: ApiRequest = { operation: "listMessages", user, params: { id: session }, query };
        const reply: Reply | undefined =
          action === "end" && instance
            ? await deploy(world, instance).serve(sent)
            : (await send(action as Action, sent)).reply;
        if (reply && (reply.status === 200 || reply.status === 404)) {
          const exists = reply.status === 200;
          const seen = { action: action === "end" ? action : action.id, user, session, ended: timeline.now() };
          // A later page says nothing of a session that was created anew meanwhile.
          if (cursor === null) history.presences.push({ ...seen, began, exists });
          if (!exists) return null;
        }
        if (reply?.status !== 200) return undefined;
        texts.push(...textsIn(reply.body));
        cursor = reply.body.next_cursor;
      } while (cursor !== null);
      see(action, { kind: "messages", user, session, began, isWhole: true, texts });
      return texts;
    },

    async get(action: Action): Promise<void> {
      const began = timeline.now();
      const { reply } = await send(action, request(action, "getSession"));
      if (reply?.status !== 200 && reply?.status !== 404) return;
      const { user, session, id } = action;
      history.presences.push({ action: id, user, session, began, ended: timeline.now(), exists: reply.status === 200 });
    },

    async search(action: Action): Promise<void> {
      const began = timeline.now();
      const body = { query: wordOf(action, 0), limit: 50 };
      const key = keyOf(action);
      const { reply } = await send(action, request(action, "searchMemories", { body, key }));
      if (reply?.status !== 200) return;
      const texts = textsIn(reply.body);
      see(action, { kind: "memories", user: action.user, session: action.session, began, isWhole: false, texts });
    },

    async memories(action: Action): Promise<void> {
      const began = timeline.now();
      const { reply } = await send(action, request(action, "listMemories", { query: { limit: "50" } }));
      if (reply?.status !== 200) return;
      const texts = textsIn(reply.body);
      see(action, { kind: "memories", user: action.user, session: action.session, began, isWhole: false, texts });
    },

    async forgetOne(action: Action): Promise<void> {
      const { reply } = await send(action, request(action, "listMemories", { query: { limit: "1" } }));
      const [memory] = reply?.status === 200 ? reply.body.data : [];
      if (!memory) return;
      note(
        action,
        "forget-one",
        [memory.content],
        await send(action, request(action, "deleteMemory", { params: { id: memory.id } })),
      );
    },

    async forgetAll(action: Action): Promise<void> {
      note(action, "forget-all", [], await send(action, request(action, "deleteMemories")));
    },

    async list(action: Action): Promise<void> {
      await send(action, request(action, "listSessions", { query: { limit: "2", status: "all" } }));
    },

    async patch(action: Action): Promise<void> {
      const body = { title: wordOf(action, 0), ...(action.id % 4 === 0 ? { ttl_seconds: action.ttl } : {}) };
      note(action, "other", [], await send(action, request(action, "patchSession", { body })));
    },

    async reset(action: Action): Promise<void> {
      note(
        action,
        "reset",
        [],
        await send(action, request(action, "resetSession", { key: keyOf(action) }), attemptsOf(action)),
      );
    },

    async restore(action: Action): Promise<void> {
      note(action, "other", [], await send(action, request(action, "restoreSession", { key: keyOf(action) })));
    },

    async delete(action: Action): Promise<void> {
      note(action, "delete", [], await send(action, request(action, "deleteSession")));
    },

    async expire(action: Action): Promise<void> {
      await send(action, request(action, "cleanupSessions", { params: {}, query: { days: "1" } }));
    },
  };

  async function turn(action: Action, question: string, sent: ApiRequest, creates = false): Promise<void> {
    const told = await send(action, sent, attemptsOf(action));
    // An answer that broke off is stored as it was.
    const says = told.outcome === "done" ? [question, ...textsIn(told.reply?.body)] : [question];
    // A turn is refused at its end, too, when its session was deleted under it.
    const outcome = told.outcome === "refused" ? "lost" : told.outcome;
    note(action, "turn", says, { ...told, outcome }, creates);
    await repeat(action, sent, told);
  }
}

export type Client = ReturnType<typeof createClient>;

/** A word that nobody else says. Six letters are what a search looks at. */
const wordOf = ({ id }: { id: number }, n: number): string => `z${id}x${n}q`;

/** What was said, in an answer of any operation. */
function textsIn(body: unknown): string[] {
  const { data, message, choices } = (body ?? {}) as Record<string, unknown>;
  if (Array.isArray(data)) return data.map(({ content }) => String(content));
  if (message) return [String((message as { content: string }).content)];
  if (Array.isArray(choices)) return choices.map((choice) => String(choice.message?.content));
  return [];
}
