import { isDeepStrictEqual } from "node:util";
import { AppError } from "../errors.ts";
import { noSuchMessage } from "../session/list-messages.ts";
import { type MessageRecord, timeOrderedId } from "../session/message.ts";
import { hotMessages } from "../session/message-source.ts";
import type { InputPart } from "../session/parts.ts";
import type { RequestIdentity, SessionRecord } from "../session/session.ts";
import { pathOf, placeOf, type Tree } from "../session/tree.ts";
import { runningTurns } from "./follow-turn.ts";
import type { ChatDependencies, ChatStores, TurnRequest } from "./turn.ts";

/** Whether a message gives results of tools. */
export const givesResults = ({ parts = [] }: { parts?: readonly InputPart[] | undefined }): boolean =>
  parts.some(({ type }) => type === "tool_result");

/**
 * Checks the results of tools in a turn. Each answers a call in the messages that the turn follows, or in the request, and the call has
 * no result yet. Messages that an earlier attempt at the request has stored do not count. Returns whether there are results: then
 * nothing may be written before they are stored. Throws `validation_failed`.
 * @param window the newest messages of the current branch
 * @param limit how many messages of another branch to read
 */
export async function checkToolResults(
  { messages: store }: Pick<ChatStores, "messages">,
  request: TurnRequest,
  window: { record: SessionRecord; tree: Tree; messages: readonly MessageRecord[] },
  question: MessageRecord,
  identity: RequestIdentity,
  limit: number,
): Promise<boolean> {
  const { session, parent, asked } = request;
  // Results that are answered again were checked when they were stored.
  if (asked) return false;
  const { record, tree, messages } = window;
  const isWindow = parent === undefined || parent === messages.at(-1)?.id || !givesResults(question);
  return checkResults(request, isWindow ? messages : await messagesUpTo(parent), question, identity);

  async function messagesUpTo(id: string | null): Promise<MessageRecord[]> {
    if (id === null) return [];
    const end = await hotMessages(store, session, record.generation, tree).locate(id);
    if (!end) throw noSuchMessage("parent_id");
    const { branch, position } = placeOf(end);
    const range = { order: "desc", limit, path: pathOf(tree, branch, position) } as const;
    return (await store.range(session, record.generation, range)).messages.toReversed();
  }
}

/**
 * The last message of the window, if the window ends with exactly the results of this request and no answer to them is being given: the model
 * failed, and the client sends them again.
 */
export function unansweredResults(
  { since = [], question }: TurnRequest,
  { record, messages }: { record: SessionRecord; messages: readonly MessageRecord[] },
  now: number,
): MessageRecord | undefined {
  const given = [...since, question];
  const end = messages.slice(-given.length);
  const isSame = given.every((one, n) => givesResults(one) && isDeepStrictEqual(one.parts, end[n]?.parts));
  return isSame && runningTurns(record, now).length === 0 ? end.at(-1) : undefined;
}

/**
 * Stores that append only to the session as it was read, so that of two equal results of a tool one is refused. Each append changes the
 * version by one. Throws `conflict`.
 */
export function unchangedSince(deps: ChatDependencies, { version }: SessionRecord): ChatDependencies {
  let expected = version;
  const append: typeof deps.messages.append = async (request) => {
    if (request.record.version > expected) throw new AppError("conflict", "the session has changed");
    const outcome = await deps.messages.append({
      ...request,
      record: { ...request.record, version: expected },
      exact: true,
    });
    if (outcome.kind === "stored") expected++;
    return outcome;
  };
  return { ...deps, messages: { ...deps.messages, append } };
}

function checkResults(
  { before = [], beforePaths, path = "", places }: Pick<TurnRequest, "before" | "beforePaths" | "path" | "places">,
  stored: readonly MessageRecord[],
  question: MessageRecord,
  identity: RequestIdentity,
): boolean {
  const planned = before.map(({ id, parts }, n) => ({ id: id ?? timeOrderedId(identity, n), parts }));
  const asked = [...planned, question];
  if (!asked.some(givesResults)) return false;
  const own = new Set(asked.map(({ id }) => id));
  /** Whether a call waits for its result, by its id. */
  const isOpen = new Map<string, boolean>();
  for (const part of stored.filter(({ id }) => !own.has(id)).flatMap(({ parts = [] }) => parts)) note(part);
  for (const [n, { parts = [] }] of asked.entries()) {
    const isQuestion = n === planned.length;
    for (const [at, part] of parts.entries()) {
      if (part.type === "tool_result" && !isOpen.get(part.tool_call_id)) {
        const place = (isQuestion ? places?.[at] : undefined) ?? at;
        const message = isQuestion ? path : (beforePaths?.[n] ?? `messages.${n}.`);
        throw refusal(`${message}parts.${place}.tool_call_id`, part.tool_call_id, isOpen.has(part.tool_call_id));
      }
      note(part);
    }
  }
  return true;

  function note(part: { type: string; tool_call_id?: string }): void {
    if (part.type === "tool_call") isOpen.set(part.tool_call_id ?? "", true);
    if (part.type === "tool_result") isOpen.set(part.tool_call_id ?? "", false);
  }
}

function refusal(path: string, id: string, isKnown: boolean): AppError {
  const problem = isKnown ? "has a result already" : "is not a tool call of this conversation";
  const message = `${JSON.stringify(id)} ${problem}`;
  return new AppError("validation_failed", `${path}: ${message}`, { fields: [{ path, message }] });
}
