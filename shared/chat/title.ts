import { withPatience } from "../clock.ts";
import { LOCK_MARGIN } from "../idempotency/attempt.ts";
import { ModelError } from "../llm/model-error.ts";
import { costOf } from "../llm/models.ts";
import { estimateTokens } from "../llm/tokens.ts";
import { log } from "../log.ts";
import { randomId } from "../random.ts";
import type { MessageRecord } from "../session/message.ts";
import type { SessionRecord } from "../session/session.ts";
import type { ChatDependencies, TurnRequest } from "./turn.ts";

/** Characters of a title. */
const LENGTH = 60;

/** Characters of question and answer that the model reads for a title. */
const EXCERPT = 1000;

/** Tokens of a title. */
const TITLE_TOKENS = 20;

/** Milliseconds that a model has for a title. */
const PATIENCE = 10_000;

const INSTRUCTION =
  "Write a title of at most six words for the conversation below, in its language. Answer with the title only, without quotes.";

/** The first words of a text, as a title; `null`: it has none. */
export function firstWords(text: string): string | null {
  const line = text
    .slice(0, 4 * LENGTH)
    .toWellFormed()
    .replace(/\s+/g, " ")
    .trim();
  if (line === "") return null;
  if (line.length <= LENGTH) return line;
  let end = 0;
  for (const { segment, index } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(line)) {
    // One character is for the ellipsis.
    if (index + segment.length >= LENGTH) break;
    end = index + segment.length;
  }
  // A single word may be too long: cut it between characters as readers see them.
  return `${(end > 0 ? line.slice(0, end) : firstGraphemes(line)).trim()}…`;
}

function firstGraphemes(line: string): string {
  let text = "";
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (text.length + segment.length >= LENGTH) break;
    text += segment;
  }
  return text;
}

interface Conversation {
  /** The header as it was read before the turn. */
  record: SessionRecord;
  question: MessageRecord;
  answer: MessageRecord;
}

/**
 * Gives a session that has no title one: by `titleModel` if that is set, otherwise from the first words of the question. A title that was
 * set meanwhile stays. Never rejects, because a turn is complete without a title.
 */
export async function giveTitle(
  deps: ChatDependencies,
  request: Pick<TurnRequest, "plan" | "deadline">,
  conversation: Conversation,
): Promise<void> {
  const { record, question, answer } = conversation;
  if (record.title !== null) return;
  try {
    const asked = deps.settings.titleModel ? await askForTitle(deps, request, conversation) : null;
    const title = asked ?? firstWords(question.content);
    const of = asked === null ? question.id : answer.id;
    if (title !== null) await deps.sessions.giveTitle(record, title, of, deps.clock());
  } catch (error) {
    log("error", { user: record.user_id, message: "a session could not be given a title", cause: String(error) });
  }
}

/** The title that a model gives; `null`: it gives none, or the user's budget is used up. */
async function askForTitle(
  { limits, model, recorder, settings, specOf, clock, newId = randomId }: ChatDependencies,
  { plan, deadline }: Pick<TurnRequest, "plan" | "deadline">,
  { record: { user_id: user }, question, answer }: Conversation,
): Promise<string | null> {
  const { titleModel } = settings;
  const content = [question, answer].map(({ role, content: text }) => `${role}: ${excerptOf(text)}`).join("\n\n");
  const messages = [
    { role: "system", content: INSTRUCTION },
    { role: "user", content },
  ] as const;
  const tokens = estimateTokens(INSTRUCTION + content) + 20;
  const most = tokens + TITLE_TOKENS;
  const [began, until] = [clock(), deadline + LOCK_MARGIN];
  // The title is not a request of the user: count its tokens only.
  const asked = { user, plan: { ...plan, requests_per_minute: 0 }, isCounted: true, id: newId(), now: began, until };
  const reservation = await limits.reserve({ ...asked, tokens: most, least: most }).catch(() => null);
  if (!reservation) return null;
  const abort = new AbortController();
  try {
    const given = await withPatience(Math.min(PATIENCE, deadline - clock()), receive(), null);
    if (!given) throw new ModelError("down", "the model gave no title in time");
    const usage = given.usage ?? { input_tokens: tokens, output_tokens: estimateTokens(given.text) };
    const cost = costOf(specOf(given.model), usage);
    await limits.settle(reservation, usage, cost);
    recorder.note({
      kind: "llm.call",
      dimensions: { model: given.model, plan: plan.name },
      measures: { duration_ms: clock() - began, ...usage, cost_usd: cost },
      user,
    });
    return firstWords(given.text.replace(/^["'\s]+|["'\s]+$/g, ""));
  } catch {
    // If the model gives no title, the first words are the title.
    await limits.settle(reservation, null, 0).catch(() => undefined);
    return null;
  } finally {
    abort.abort();
  }

  async function receive() {
    const promptFor = async () => ({ messages, tokens, maxOutputTokens: TITLE_TOKENS });
    const answered = await model.ask({
      model: titleModel,
      promptFor,
      firstTokenWithin: PATIENCE,
      signal: abort.signal,
    });
    let text = "";
    for await (const event of answered.events) {
      if (event.kind === "text") text += event.text;
      if (event.kind === "end") return { text, model: answered.model, usage: event.usage };
      if (text.length > EXCERPT) break;
    }
    return { text, model: answered.model, usage: null };
  }
}

const excerptOf = (text: string): string => text.slice(0, EXCERPT).toWellFormed();
