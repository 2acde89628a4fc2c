/** The clients: each action that is a request of the API. */
import { randomOf } from "../support/random.ts";
import { type ApiRequest, deploy, type Reply } from "./deployment.ts";
import { modelOf } from "./fake-model.ts";
import type { Choice, Deed, History, Item, Sight } from "./history.ts";
import type { Instance } from "./instance.ts";
import { chooseFrom, itemsOf, type Listed, textsIn } from "./message-list.ts";
import { namesOf } from "./model.ts";
import type { Action } from "./plan.ts";
import { attemptsOf, createRequests, keyOf, type Told } from "./requests.ts";
import type { World } from "./world.ts";

/** Messages of a page that clients ask for: few, so that a list has several. Clients that choose a message ask for many. */
const PAGE = 4;
const LARGE_PAGE = 100;

/** How often an edit begins the conversation again, and how often it asks the model. */
const AGAIN = 0.15;
const ASKED = 0.3;

/** How often a client goes away from a stream. */
const GONE = 0.3;

/** Whether a message of an append has a file. */
export const hasFile = (action: number, n: number): boolean => action % 3 === 0 && n === 0;

const fileOf = (content: string) => ({ type: "file", data: `data:text/plain,${encodeURIComponent(content)}` });

export function createClient(world: World, history: History) {
  const { timeline } = world;
  const { send, repeat, note, see, request } = createRequests(world, history);

  const isIncognito = ({ user, session }: Action): boolean => history.incognito.has(`${user}/${session}`);
  /** What a request that may create the session says of it. */
  const kindOf = (action: Action): object => (isIncognito(action) ? { incognito: true } : {});

  return {
    async create(action: Action): Promise<void> {
      const body = { id: action.session, ttl_seconds: action.ttl, ...kindOf(action) };
      const sent = request(action, "createSession", { body, key: keyOf(action) });
      note(action, "create", [], await send(action, sent, attemptsOf(action)), { creates: true });
    },

    append: (action: Action) => append(action),

    /** Continues the conversation from an earlier message, or begins it again. */
    async edit(action: Action): Promise<void> {
      const random = randomOf(world.seed, "choice", action.id);
      const choice = await choose(action, (items) => (random.chance(AGAIN) ? null : random.pick(items)));
      if (!choice) return;
      if (!random.chance(ASKED)) return append(action, choice);
      await chat(action, { stream: false, parent_id: choice.id }, { creates: true, choice });
    },

    /** Asks for another answer to a question. */
    async regenerate(action: Action): Promise<void> {
      const random = randomOf(world.seed, "choice", action.id);
      const found = await look(action);
      const answers = found?.filter(({ role }) => role === "assistant") ?? [];
      const answer = answers.length > 0 ? random.pick(answers) : undefined;
      const asked = found?.find(({ id }) => id === answer?.parent_id);
      if (!found || !answer || !asked) return;
      const [question = ""] = namesOf([asked.text]);
      const sent = request(action, "chat", {
        body: { regenerate: answer.id, stream: random.chance(0.5), model: modelOf(action.id), ...kindOf(action) },
        key: keyOf(action),
      });
      await turn(action, [], sent, { choice: chooseFrom(found, asked), answers: question });
    },

    /** Streams a turn. At times the client goes away when the answer begins: the function does not notice, and stores the answer. */
    async stream(action: Action): Promise<void> {
      const isGone = randomOf(world.seed, "choice", action.id).chance(GONE);
      await chat(action, { stream: true }, { creates: true }, isGone ? 1 : attemptsOf(action));
    },

    /** Follows the answer that is being given. */
    async follow(action: Action): Promise<void> {
      const { user, session } = action;
      const began = timeline.now();
      const { reply } = await send(action, request(action, "followChat"), 1);
      if (reply?.status !== 200) return;
      see(action, { kind: "kept answer", user, session, began, isWhole: false, texts: textsIn(reply.body) });
    },

    /** Reads the path that ends with a message. */
    async path(action: Action): Promise<void> {
      const random = randomOf(world.seed, "choice", action.id);
      const choice = await choose(action, (items) => random.pick(items));
      if (choice?.id != null) await list(action, action, choice.id, { choice });
    },

    async stop(action: Action): Promise<void> {
      const told = await send(action, request(action, "stopChat", { key: keyOf(action) }), attemptsOf(action));
      note(action, "stop", [], told);
      if (told.reply?.status !== 200 || !told.reply.body.stopped) return;
      const { user, session } = action;
      const id = String(told.reply.body.message_id);
      history.ends.push({ id, status: "stopped", action: action.id, user, session, ended: told.ended });
    },

    async switch(action: Action): Promise<void> {
      const random = randomOf(world.seed, "choice", action.id);
      const choice = await choose(action, (items) => random.pick(items));
      if (!choice) return;
      const sent = request(action, "patchSession", { body: { head_id: choice.id } });
      note(action, "switch", [], await send(action, sent), { choice });
    },

    async cut(action: Action): Promise<void> {
      const random = randomOf(world.seed, "choice", action.id);
      // Mostly a later message, so that something is left.
      const choice = await choose(
        action,
        (items) => items[Math.max(random.below(items.length), random.below(items.length))] ?? null,
      );
      if (choice?.id == null) return;
      const params = { id: action.session, message_id: choice.id };
      note(action, "cut", [], await send(action, request(action, "deleteMessage", { params })), { choice });
    },

    chat: (action: Action) => chat(action, { stream: false }, { creates: true }),

    async completion(action: Action): Promise<void> {
      const question = `said ${wordOf(action, 0)}`;
      const body = {
        model: modelOf(action.id),
        messages: [{ role: "user", content: question }],
        metadata: { session_id: action.session, ...kindOf(action) },
      };
      const sent = request(action, "createCompletion", { body, key: keyOf(action) });
      await turn(action, [question], sent, { creates: true });
    },

    /** Reads all messages of a session, or those of the current branch. Gives null when the session is not there. */
    read: (
      action: Action | "end",
      whose: Pick<Action, "user" | "session">,
      branch: "all" | "current",
      instance?: Instance,
    ): Promise<Item[] | null | undefined> => list(action, whose, branch, instance ? { instance } : {}),

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

  /** Reads a branch page by page. `choice`: the last message of the path that is read. */
  async function list(
    action: Action | "end",
    { user, session }: Pick<Action, "user" | "session">,
    branch: string,
    { instance, choice }: { instance?: Instance; choice?: Choice },
  ): Promise<Item[] | null | undefined> {
    const began = timeline.now();
    const messages: Listed[] = [];
    let cursor: string | null = null;
    do {
      const query = { order: "asc", branch, limit: String(PAGE), ...(cursor ? { cursor } : {}) };
      const sent: ApiRequest = { operation: "listMessages", user, params: { id: session }, query };
      const reply: Reply | undefined =
        action === "end" && instance
          ? await deploy(world, instance).serve(sent)
          : (await send(action as Action, sent)).reply;
      if (reply && (reply.status === 200 || reply.status === 404)) {
        const exists = reply.status === 200;
        const seen = { action: action === "end" ? action : action.id, user, session, ended: timeline.now() };
        // A later page says nothing of a session that was created again meanwhile.
        if (cursor === null) history.presences.push({ ...seen, began, exists });
        if (!exists) return null;
      }
      if (reply?.status !== 200) return undefined;
      messages.push(...reply.body.data);
      cursor = reply.body.next_cursor;
    } while (cursor !== null);
    const items = itemsOf(messages);
    const kind = choice ? "path" : branch === "all" ? "messages" : "current";
    see(action, { kind, user, session, began, isWhole: true, ...saidIn(items), ...(choice ? { choice } : {}) });
    return items;
  }

  async function append(action: Action, choice?: Choice): Promise<void> {
    const says = Array.from({ length: action.messages }, (_, n) => `said ${wordOf(action, n)}`);
    const body = {
      messages: says.map((content, n) => ({
        role: "user",
        ...(hasFile(action.id, n) ? { parts: [{ type: "text", text: content }, fileOf(content)] } : { content }),
        ...(n === 1 ? { id: `own-${action.id}` } : {}),
        ...(n === 0 && choice ? { parent_id: choice.id } : {}),
      })),
    };
    const sent = request(action, "appendMessages", { body, key: keyOf(action) });
    const told = await send(action, sent, attemptsOf(action));
    note(action, "append", says, told, choice && { choice });
    await repeat(action, sent, told);
  }

  /** Lets the client choose from all messages of a session that it can see. Gives nothing when it sees none. */
  async function choose(action: Action, pick: (items: Item[]) => Item | null): Promise<Choice | undefined> {
    const items = await look(action);
    return items && chooseFrom(items, pick(items));
  }

  /** What a client sees of all messages of a session. Gives nothing when it sees none. */
  async function look(action: Action): Promise<Item[] | undefined> {
    const began = timeline.now();
    const { user, session } = action;
    const query = { branch: "all", order: "asc", limit: String(LARGE_PAGE) };
    const { reply } = await send(action, request(action, "listMessages", { query }));
    if (reply?.status !== 200 || reply.body.data.length === 0) return undefined;
    const items = itemsOf(reply.body.data);
    const isWhole = reply.body.next_cursor === null;
    see(action, { kind: "messages", user, session, began, isWhole, ...saidIn(items) });
    return items;
  }

  /** Asks a question of its own. */
  function chat(action: Action, how: object, more: Parameters<typeof note>[4], attempts?: number): Promise<void> {
    const question = `said ${wordOf(action, 0)}`;
    const body = { content: question, model: modelOf(action.id), ...kindOf(action), ...how };
    return turn(action, [question], request(action, "chat", { body, key: keyOf(action) }), more, attempts);
  }

  async function turn(
    action: Action,
    asks: readonly string[],
    sent: ApiRequest,
    more: Parameters<typeof note>[4],
    attempts = attemptsOf(action),
  ): Promise<void> {
    const told = await send(action, sent, attempts);
    const memories = told.reply?.body?.memories ?? [];
    if (isIncognito(action) && memories.length > 0) {
      world.problems.push({ rule: "an incognito session is given memories", detail: String(action.id) });
    }
    // An answer that broke off is stored as it was.
    const says = told.outcome === "done" ? [...asks, ...textsIn(told.reply?.body)] : [...asks];
    // A turn is refused at its end, too, when its session was deleted under it.
    const outcome = told.outcome === "refused" ? "lost" : told.outcome;
    note(action, "turn", says, { ...told, outcome }, { ...more, ...usageIn(told) });
    if (told.outcome === "done" && told.reply?.body.message?.memory_ids?.length > 0)
      history.recalls.push({ action: action.id, user: action.user, began: told.began, ended: told.ended });
    await repeat(action, sent, told);
  }
}

export type Client = ReturnType<typeof createClient>;

/** A word that no other client says. Six letters are what a search looks at. */
const wordOf = ({ id }: { id: number }, n: number): string => `z${id}x${n}q`;

const saidIn = (items: Item[]): Pick<Sight, "texts" | "items"> => ({
  items,
  texts: items.flatMap(({ text }) => text || []),
});

/** What a turn has used, as the answer of either route says. A stop that ends the turn of a slow function does not know it. */
function usageIn({ outcome, reply }: Told): Pick<Deed, "usage"> {
  if (outcome !== "done" || !reply) return {};
  const { message, usage } = reply.body;
  if (message?.usage) return { usage: message.usage };
  const { prompt_tokens: input_tokens = 0, completion_tokens: output_tokens = 0 } = usage ?? {};
  return input_tokens > 0 ? { usage: { input_tokens, output_tokens } } : {};
}
