import { toInstant, withPatience } from "../clock.ts";
import { sha256 } from "../hash.ts";
import { LOCK_MARGIN, stillRunning } from "../idempotency/attempt.ts";
import type { ModelAnswer } from "../llm/model.ts";
import { toAppError } from "../llm/model-error.ts";
import { log } from "../log.ts";
import { type BranchMemory, isOnPath } from "../memory/memory.ts";
import { randomId } from "../random.ts";
import { ANSWER, type MessageRecord, QUESTION, timeOrderedId } from "../session/message.ts";
import type { InputPart } from "../session/parts.ts";
import { resolveFiles } from "../session/resolve-files.ts";
import type { RequestIdentity, SessionRecord } from "../session/session.ts";
import {
  type Budget,
  enlargeReservation,
  type Material,
  type PromptFor,
  planBudget,
  promptsOf,
  refuseImages,
} from "./budget.ts";
import { abandonTurn } from "./end-turn.ts";
import { earlierTurn, followTurn } from "./follow-turn.ts";
import { identifyTurn } from "./identify-turn.ts";
import { type OpenedTurn, openTurn, readWindow } from "./open-turn.ts";
import { recordAnswer } from "./record-answer.ts";
import { giveTitle } from "./title.ts";
import { unansweredResults } from "./tool-results.ts";
import type { ChatDependencies, Turn, TurnRequest } from "./turn.ts";
import { type TurnWatch, watchTurn } from "./watch-turn.ts";

/** Milliseconds before the end of the function at which the model is stopped, so that the answer can be stored. */
const STORE_MARGIN = 5000;

/** Memories to recall. */
const MEMORIES = 10;
/** Milliseconds that a turn waits for its memories before it continues without them. */
const MEMORY_PATIENCE = 2000;

/**
 * Starts a turn and resolves when the first token has arrived. From then on the turn runs by itself until the answer is stored. Throws
 * `not_found`, `too_many_requests`, `payload_too_large`, `unavailable`, `bad_request`, `idempotency_mismatch`.
 */
export async function startTurn(deps: ChatDependencies, request: TurnRequest): Promise<Turn> {
  try {
    return await runSteps(deps, request);
  } catch (error) {
    const known = toAppError(error);
    await request.claims.release(known);
    throw known;
  }
}

/** The steps of a turn, in order. */
async function runSteps(deps: ChatDependencies, given: TurnRequest): Promise<Turn> {
  const began = deps.clock();
  // 1. Plan the budget, and start work whose results are needed later.
  const budget = await planBudget(deps, given);
  deps.model.lookAhead(given.model);
  // Results of tools do not say what to recall. The user's last message does, but it is not read yet.
  const isTold = given.question.content !== "";
  const recalling = isTold ? recallMemories(deps, given, given.question.content) : undefined;

  // 2. First round trip: claim the turn, reserve the budget and read the context, all at once.
  const { claim, window, identity, request, ...prepared } = await prepare(deps, given, budget, began);
  let { reservation } = prepared;
  const giveBack = () => deps.limits.settle(reservation, null, 0).catch(() => undefined);
  const id = timeOrderedId(identity, ANSWER);
  let opened: OpenedTurn | undefined;
  let watch: TurnWatch | undefined;
  const turnId = ({ record, branch }: OpenedTurn) => {
    return { ...request.session, generation: record.generation, answer: id, branch };
  };
  let question: MessageRecord | undefined;
  try {
    // 3. If another attempt at the request runs or ran the turn, follow that one.
    const earlier = await earlierTurn(deps, request, id, claim);
    if (earlier) {
      await giveBack();
      return { ...earlier, headers: { ...reservation.headers, "idempotency-replayed": "true" } };
    }

    // 4. Second round trip: store the question. If we waited for another attempt, the context is stale: read it again.
    const read = claim.kind === "followed" ? null : window;
    // Before `data:` URLs become files, and again when the types of the other files are known.
    refuseImages(deps, request, request.question.parts?.map(withoutType));
    question = request.asked ?? (await questionOf(deps, request, claim.identity, identity));
    refuseImages(deps, request, question.parts);
    const opening = { question, identity: claim.identity, answer: id, until: diesAt(request) };
    const turn = await openTurn(deps, request, read, opening);
    if (!turn) {
      // A repeat has taken over, because this attempt was slow. Follow it, so that the model is asked once.
      const other = await followTurn(deps, request.session, id, request.deadline, request.onStored);
      if (!other) throw stillRunning();
      await giveBack();
      return { ...other, headers: { ...reservation.headers, "idempotency-replayed": "true" } };
    }
    opened = turn;

    // 5. Ask the model, until its first token.
    watch = watchTurn(deps.turns, turnId(opened), timeLeft(deps, request));
    const asked = opened.history.findLast(({ role }) => role === "user")?.content ?? "";
    const isIncognito = opened.record.incognito === true;
    const recalled = isIncognito ? [] : await (recalling ?? recallMemories(deps, request, asked));
    const material = await gatherMaterial(deps, request, question, opened, recalled);
    const prompts = () => promptsOf(deps, request, budget, reservation.tokens, material);
    let promptFor = prompts();
    const planned = await promptFor(request.model ?? deps.settings.model);
    const enlarged = await enlargeReservation(deps, request, reservation, planned, budget, diesAt(request));
    if (enlarged !== reservation) {
      reservation = enlarged;
      promptFor = prompts();
    }
    const answer = await askModel(deps, request, promptFor, cacheKeyOf(opened.record), watch);

    // 6. Record the answer in the background: stream it, store it, end the turn.
    const prompt = await promptFor(answer.model);
    const { record, history } = opened;
    const first = [...history, question].find(({ role, content }) => role === "user" && content !== "") ?? question;
    const running = recordAnswer(deps, {
      turn: turnId(opened),
      record,
      question,
      answer,
      prompt,
      reservation,
      plan: request.plan.name,
      began,
      watch,
      keep: request.claims.keep,
      onStored: request.onStored,
      onEnd: (stored) => giveTitle(deps, request, { record, question: first, answer: stored }),
      onFailure: request.claims.release,
    });
    const { session } = request;
    const { memories } = prompt;
    const parent_id = question.id;
    return { id, parent_id, session, model: answer.model, memories, headers: reservation.headers, ...running };
  } catch (error) {
    watch?.end();
    if (opened && question) await abandonTurn(deps, turnId(opened), opened.record, question);
    await giveBack();
    const known = toAppError(error);
    if (known.code === "unavailable" || known.code === "bad_gateway") noteFailure(deps, request, began, known.code);
    throw known;
  }
}

/** Claims the turn, reserves the budget, reads the context and identifies the turn. If one of them fails, gives the reservation back. */
async function prepare(deps: ChatDependencies, request: TurnRequest, budget: Budget, now: number) {
  const { claims, session, plan } = request;
  const claiming = claims.claim();
  const reserving = deps.limits.reserve({
    user: session.user,
    plan,
    id: (deps.newId ?? randomId)(),
    tokens: budget.most,
    least: budget.least,
    now,
    until: diesAt(request),
  });
  const reading = request.isNew ? null : readWindow(deps, request);
  const [, reservation] = await Promise.allSettled([claiming, reserving, reading]);
  try {
    // All have settled, so the errors take precedence in this order.
    const all = { claim: await claiming, reservation: await reserving, window: await reading };
    const stored = all.window && unansweredResults(request, all.window, now);
    // A repeat of the same request finds its own question, and goes on from there by itself.
    const isRepeated = stored && stored.id !== timeOrderedId(all.claim.identity, QUESTION);
    const asking = isRepeated ? { ...request, asked: stored, isRepeated, since: [] } : request;
    return { ...all, request: asking, identity: await identifyTurn(deps, asking, all.claim.identity, all.window) };
  } catch (error) {
    if (reservation.status === "fulfilled") await deps.limits.settle(reservation.value, null, 0).catch(() => undefined);
    throw error;
  }
}

/** Epoch milliseconds after which a turn counts as dead: its function has stopped, even if its clock is a little behind. */
const diesAt = ({ deadline }: TurnRequest): number => deadline + LOCK_MARGIN;

/** Removes the type that a client gives, because it may differ from the type of the stored file. */
const withoutType = (part: InputPart): InputPart => (part.type === "file" ? { ...part, media_type: undefined } : part);

async function questionOf(
  { files }: ChatDependencies,
  { session, question, path = "" }: TurnRequest,
  given: RequestIdentity,
  identity: RequestIdentity,
): Promise<MessageRecord> {
  const { role, content, name, metadata, client_id } = question;
  // Earlier messages of the request create files, too, so the files of the question need other ids.
  const own = { ...given, seed: `${given.seed} question` };
  const [{ parts } = {}] = await resolveFiles(files, session, [question], own, () => path);
  return {
    id: timeOrderedId(identity, QUESTION),
    role,
    content,
    ...(parts ? { parts } : {}),
    created_at: toInstant(identity.at),
    ...(client_id === undefined ? {} : { client_id }),
    ...(name === undefined ? {} : { name }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** Recalls what the user said about the subject of a text. An error or a timeout gives no memories. */
async function recallMemories(
  { recall }: ChatDependencies,
  { session, memory }: TurnRequest,
  text: string,
): Promise<BranchMemory[]> {
  if (!recall || !memory || text === "") return [];
  try {
    // Few users switch memory off, so recall before the user's choice is read.
    const isOn = typeof memory === "function" ? memory() : memory;
    const recalled = Promise.all([recall(session.user, { text, limit: MEMORIES }), isOn]);
    return await withPatience(
      MEMORY_PATIENCE,
      recalled.then(([memories, on]) => (on ? memories : [])),
      [],
    );
  } catch (error) {
    log("error", { user: session.user, message: "memories cannot be recalled", cause: String(error) });
    return [];
  }
}

/** Collects what the prompt is made of. */
async function gatherMaterial(
  deps: ChatDependencies,
  request: TurnRequest,
  question: MessageRecord,
  opened: OpenedTurn,
  recalled: readonly BranchMemory[],
): Promise<Material> {
  // Leave out memories of messages that are in the history.
  const shown = new Set([question, ...opened.history].map(({ id }) => id));
  // A memory of another branch is removed soon after the branch has changed.
  const isCurrent = (memory: BranchMemory) => memory.session_id !== request.session.id || isOnPath(opened.path, memory);
  const memories = recalled
    .filter((memory) => !shown.has(memory.message_id) && isCurrent(memory))
    .map(({ branch: _, ...memory }) => memory);
  const messages = [...opened.history, question];
  const hasFiles = messages.some(({ parts }) => parts?.some(({ type }) => type === "file"));
  const files = hasFiles ? await deps.readFiles?.(request.session.user, messages) : undefined;
  return { ...opened, question, memories, files };
}

/** Milliseconds that the model has. */
const timeLeft = ({ settings, clock }: ChatDependencies, { deadline }: TurnRequest): number =>
  Math.min(settings.totalTimeout, deadline - STORE_MARGIN - clock());

/** The same for all turns of a session, also after it was restored. It reveals neither the user nor the session. */
const cacheKeyOf = ({ user_id, id, created_at }: SessionRecord): string =>
  sha256(JSON.stringify(["prompt cache", user_id, id, created_at])).slice(0, 32);

/** Asks the model within the time that is left. A client may stop the turn before the first token: then the answer is empty. */
async function askModel(
  deps: ChatDependencies,
  request: TurnRequest,
  promptFor: PromptFor,
  cacheKey: string,
  watch: TurnWatch,
): Promise<ModelAnswer> {
  try {
    return await deps.model.ask({
      model: request.model,
      parameters: request.parameters,
      promptFor,
      cacheKey,
      firstTokenWithin: Math.min(timeLeft(deps, request), deps.settings.firstTokenTimeout),
      signal: watch.signal,
    });
  } catch (error) {
    if (!watch.isStopped()) throw error;
    return { model: request.model ?? deps.settings.model, events: (async function* () {})() };
  }
}

function noteFailure(deps: ChatDependencies, request: TurnRequest, began: number, error: string): void {
  const { model = deps.settings.model } = request;
  deps.recorder.note({
    kind: "llm.call",
    // No model has answered to this name, so it may be any text of the client, and aggregates are kept after an erasure.
    dimensions: { model: deps.isKnown(model) ? model : "unknown", plan: request.plan.name },
    measures: { duration_ms: deps.clock() - began },
    error,
    user: request.session.user,
  });
}
