import { callEvery, toInstant } from "../clock.ts";
import type { Reservation } from "../limits/limits.ts";
import type { FinishReason, ModelAnswer, ModelPrompt, ModelUsage } from "../llm/model.ts";
import { ModelError, toAppError } from "../llm/model-error.ts";
import { costOf } from "../llm/models.ts";
import { estimateTokens } from "../llm/tokens.ts";
import { log } from "../log.ts";
import { type MessageRecord, timeOf } from "../session/message.ts";
import type { SessionRecord } from "../session/session.ts";
import type { OnStored } from "../session/stored.ts";
import { createAnswerLimit } from "./answer-limit.ts";
import { finishTurn } from "./finish-turn.ts";
import { createLiveAnswer, type TurnEvent } from "./live-answer.ts";
import type { ChatDependencies } from "./turn.ts";
import type { TurnId } from "./turn-store.ts";

/** Milliseconds between two writes of what was said so far; answers that end before the first cost none. */
const SAVE_EVERY = 2000;

export interface Spoken {
  turn: TurnId;
  record: SessionRecord;
  question: MessageRecord;
  answer: ModelAnswer;
  prompt: ModelPrompt;
  reservation: Reservation;
  /** Name of the plan. */
  plan: string;
  /** Epoch milliseconds at which the turn began. */
  began: number;
  /** Prevents that the model is given up because the turn takes too long. */
  cancelTimeout(): void;
  /** Called when the answer is stored. Never rejects. */
  keep(): Promise<void>;
  onStored: OnStored | undefined;
  /** Called when the answer could not be stored. */
  failed(error: unknown): Promise<void>;
}

/**
 * Takes down what the model says, for however many follow it, and stores it: whole, or what there was when the model broke off. Goes
 * on when nobody follows any more.
 */
export function speak(
  deps: ChatDependencies,
  spoken: Spoken,
): { events(): AsyncGenerator<TurnEvent>; done: Promise<void> } {
  const live = createLiveAnswer();
  const done = run().catch(async (error: unknown) => {
    const known = toAppError(error);
    // The client learns of it in a stream that has begun with 200.
    if (known.status >= 500) {
      log("error", { user: spoken.turn.user, message: "an answer could not be stored", cause: String(error) });
    }
    live.fail(known);
    await spoken.failed(error);
  });
  return { events: live.events, done };

  async function run(): Promise<void> {
    const { turn, record, question, answer, prompt, reservation, plan, began } = spoken;
    const firstToken = deps.clock() - began;
    const { usage: counted, reason, problem } = await listen();
    const content = live.text();
    const usage = within(
      reservation,
      counted ?? { input_tokens: prompt.tokens, output_tokens: estimateTokens(content) },
    );
    const cost = costOf(deps.specOf(answer.model), usage);
    const latency = deps.clock() - began;
    const message: MessageRecord = {
      id: turn.answer,
      role: "assistant",
      content,
      created_at: toInstant(timeOf(turn.answer)),
      model: answer.model,
      usage: { ...usage, cost_usd: cost },
      ...outcomeOf(content, reason),
      latency_ms: latency,
    };
    const settling = deps.limits.settle(reservation, usage, cost);
    const recording = deps.recorder.record({
      kind: "llm.call",
      dimensions: { model: answer.model, plan },
      measures: { duration_ms: latency, first_token_ms: firstToken, ...usage, cost_usd: cost },
      ...(problem === undefined ? {} : { error: toAppError(problem).code }),
      user: turn.user,
    });
    const finishing = finishTurn(deps, turn, record, question, message, spoken.keep, spoken.onStored);
    const [stored] = await Promise.allSettled([finishing, settling, recording]);
    if (stored.status === "rejected") throw stored.reason;
    if (problem === undefined) live.end(stored.value);
    else live.fail(toAppError(problem));
  }

  async function listen(): Promise<{ usage: ModelUsage | null; reason?: FinishReason; problem?: unknown }> {
    const { answer, prompt, reservation } = spoken;
    const stopSaving = callEvery(SAVE_EVERY, () => void save());
    // A long question leaves less of the reservation than the model was told.
    const maxTokens = Math.max(prompt.maxOutputTokens, reservation.tokens - prompt.tokens);
    const limit = createAnswerLimit(maxTokens, deps.specOf(answer.model).encoding);
    try {
      for await (const event of answer.events) {
        if (event.kind === "end") return event;
        const text = await limit.take(event.text);
        if (text) live.say(text);
        // To leave the loop closes the connection to the provider.
        if (limit.isReached()) return { usage: null, reason: "length" };
      }
      throw new ModelError("down", "the answer ended without an end");
    } catch (problem) {
      return { usage: null, problem };
    } finally {
      stopSaving();
      spoken.cancelTimeout();
    }
  }

  function save(): Promise<void> {
    const text = { text: live.text(), model: spoken.answer.model };
    // For clients that come back: who is here gets the answer without it.
    return deps.turns.saveText(spoken.turn, text, deps.clock()).catch(() => undefined);
  }
}

/** An answer is complete when the model ended it by itself and said something. Without a reason, it broke off. */
function outcomeOf(content: string, reason: FinishReason | undefined): Pick<MessageRecord, "status" | "finish_reason"> {
  if (reason === "stop" && content !== "") return { status: "complete" };
  return { status: "incomplete", ...(reason === undefined ? {} : { finish_reason: reason }) };
}

/** The usage, but no more of it than was reserved. */
function within({ tokens }: Reservation, usage: ModelUsage): ModelUsage {
  const input_tokens = Math.min(usage.input_tokens, tokens);
  return { input_tokens, output_tokens: Math.min(usage.output_tokens, tokens - input_tokens) };
}
