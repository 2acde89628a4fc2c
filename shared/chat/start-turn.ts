import { callAfter, toInstant, withPatience } from "../clock.ts";
import { LOCK_MARGIN } from "../http/idempotency.ts";
import type { Reservation } from "../limits/limits.ts";
import type { ModelAnswer } from "../llm/model.ts";
import { toAppError } from "../llm/model-error.ts";
import { log } from "../log.ts";
import type { Memory } from "../memory/memory.ts";
import { randomId } from "../random.ts";
import { type MessageRecord, timeOrderedId } from "../session/message.ts";
import type { RequestIdentity, SessionRecord } from "../session/session.ts";
import { type Budget, planBudget, promptsOf } from "./budget.ts";
import type { Claim } from "./claim.ts";
import { earlierTurn } from "./earlier-turn.ts";
import { abandonTurn } from "./finish-turn.ts";
import { openTurn } from "./open-turn.ts";
import { speak } from "./speak.ts";
import type { ChatDependencies, Turn, TurnRequest } from "./turn.ts";
import { windowOf } from "./window.ts";

/** Places of the turn's messages among those that its request makes: after any history that came with it. */
const QUESTION = 0xffe;
const ANSWER = 0xfff;

/** Milliseconds before the function's end by which an answer has to end, so that it can be stored. */
const STORE_MARGIN = 5000;

/** Memories that are asked for. */
const MEMORIES = 12;
/** Milliseconds that a turn waits for its memories: it can do without. */
const MEMORY_PATIENCE = 2000;

/**
 * Runs a turn: sets its budget aside while the context is read, stores the question, asks the model, and resolves when the first
 * token is there. From then on the turn goes on by itself. Throws `not_found`, `too_many_requests`, `payload_too_large`,
 * `unavailable`, `bad_request`, `idempotency_mismatch`.
 */
export async function startTurn(deps: ChatDependencies, request: TurnRequest): Promise<Turn> {
  try {
    return await runTurn(deps, request);
  } catch (error) {
    const known = toAppError(error);
    await request.claims.release(known);
    throw known;
  }
}

async function runTurn(deps: ChatDependencies, request: TurnRequest): Promise<Turn> {
  const began = deps.clock();
  const budget = await planBudget(deps, request);
  deps.model.lookAhead(request.model);
  const recalled = recallFor(deps, request);
  const { claim, reservation, window } = await prepare(deps, request, budget, began);
  const giveBack = () => deps.limits.settle(reservation, null, 0).catch(() => undefined);

  const identity = claim.identity;
  const id = timeOrderedId(identity, ANSWER);
  const question = questionOf(request, identity);
  let opened: { record: SessionRecord; history: MessageRecord[] } | undefined;
  const turn = () => ({ ...request.session, generation: opened?.record.generation ?? 0, answer: id });
  try {
    const earlier = await earlierTurn(deps, request, id, claim);
    if (earlier) {
      await giveBack();
      return { ...earlier, headers: { ...reservation.headers, "idempotency-replayed": "true" } };
    }
    // Whoever has waited for another attempt has read the context too early.
    const read = claim.kind === "followed" ? null : window;
    opened = await openTurn(deps, request, read, { question, identity, answer: id, until: diesAt(request) });
    // What the model reads anyway is not repeated.
    const shown = new Set([question, ...opened.history].map(({ id: messageId }) => messageId));
    const memories = (await recalled).filter(({ message_id }) => !shown.has(message_id));
    // Some providers refuse messages without content: after one empty answer, every later turn would fail.
    const history = opened.history.filter(({ content }) => content !== "");
    const prompts = promptsOf(deps, request, budget, reservation.tokens, { ...opened, history, question, memories });
    const total = new AbortController();
    const left = Math.min(deps.settings.totalTimeout, request.deadline - STORE_MARGIN - deps.clock());
    const cancelTimeout = callAfter(left, () => total.abort());
    let answer: ModelAnswer;
    try {
      answer = await deps.model.ask({
        model: request.model,
        temperature: request.temperature,
        promptFor: prompts,
        firstTokenWithin: Math.min(left, deps.settings.firstTokenTimeout),
        signal: total.signal,
      });
    } catch (error) {
      cancelTimeout();
      throw error;
    }
    const prompt = await prompts(answer.model);
    const spoken = speak(deps, {
      turn: turn(),
      record: opened.record,
      question,
      answer,
      prompt,
      reservation,
      plan: request.plan.name,
      began,
      cancelTimeout,
      keep: request.claims.keep,
      onStored: request.onStored,
      failed: request.claims.release,
    });
    return {
      id,
      session: request.session,
      model: answer.model,
      memories: prompt.memories,
      headers: reservation.headers,
      ...spoken,
    };
  } catch (error) {
    if (opened) await abandonTurn(deps, turn(), opened.record);
    await giveBack();
    const known = toAppError(error);
    if (known.code === "unavailable") await recordFailure(deps, request, began, known.code);
    throw known;
  }
}

/** Epoch milliseconds from which on a turn counts as dead: its function was stopped before, also by a clock that is a little ahead. */
const diesAt = ({ deadline }: TurnRequest): number => deadline + LOCK_MARGIN;

function questionOf({ question }: TurnRequest, identity: RequestIdentity): MessageRecord {
  const { role, content, name, metadata } = question;
  return {
    id: timeOrderedId(identity, QUESTION),
    role,
    content,
    created_at: toInstant(identity.at),
    ...(name === undefined ? {} : { name }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** The first round trip: whose turn it is, what it may use, and the context, all at once. What was set aside is not lost. */
async function prepare(deps: ChatDependencies, request: TurnRequest, budget: Budget, now: number) {
  const { claims, session, plan } = request;
  const reserving = deps.limits.reserve({
    user: session.user,
    plan,
    id: (deps.newId ?? randomId)(),
    tokens: budget.most,
    least: budget.least,
    now,
    until: diesAt(request),
  });
  const [claim, reservation, window] = await Promise.allSettled([
    claims.claim(),
    reserving,
    request.isNew ? null : windowOf(deps, session, deps.settings.maxMessages - 1),
  ] as const);
  const failed = [claim, reservation, window].find((result) => result.status === "rejected");
  if (!failed) {
    return { claim: valueIn<Claim>(claim), reservation: valueIn<Reservation>(reservation), window: valueIn(window) };
  }
  if (reservation.status === "fulfilled") await deps.limits.settle(reservation.value, null, 0).catch(() => undefined);
  throw failed.reason;
}

function valueIn<T>(result: PromiseSettledResult<T>): T {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

/** What is remembered of the question's subject: nothing when that takes too long or fails. */
async function recallFor({ recall }: ChatDependencies, { session, question, memory }: TurnRequest): Promise<Memory[]> {
  if (!recall || !memory) return [];
  try {
    return await withPatience(MEMORY_PATIENCE, recall(session.user, { text: question.content, limit: MEMORIES }), []);
  } catch (error) {
    log("error", { user: session.user, message: "memories cannot be recalled", cause: String(error) });
    return [];
  }
}

function recordFailure(deps: ChatDependencies, request: TurnRequest, began: number, error: string): Promise<void> {
  return deps.recorder.record({
    kind: "llm.call",
    dimensions: { model: request.model ?? deps.settings.model, plan: request.plan.name },
    measures: { duration_ms: deps.clock() - began },
    error,
    user: request.session.user,
  });
}
