import { callEvery, toInstant } from "../clock.ts";
import type { Reservation } from "../limits/limits.ts";
import { logModelFailure } from "../llm/log-failure.ts";
import type { FinishReason, ModelAnswer, ModelPrompt, ModelUsage } from "../llm/model.ts";
import { ModelError, toAppError } from "../llm/model-error.ts";
import { costOf } from "../llm/models.ts";
import { estimateTokens } from "../llm/tokens.ts";
import { log } from "../log.ts";
import { type MessageRecord, timeOf } from "../session/message.ts";
import type { MessageBody } from "../session/parts.ts";
import { createAnswerLimit } from "./answer-limit.ts";
import { type Ending, finishTurn } from "./end-turn.ts";
import { createLiveAnswer } from "./live-answer.ts";
import { brokenOff, type ChatDependencies, type Turn } from "./turn.ts";
import type { TurnWatch } from "./watch-turn.ts";

/** Milliseconds between two writes of the partial text. An answer that ends before the first one costs no extra write. */
const SAVE_EVERY = 2000;

interface Recording extends Omit<Ending, "answer"> {
  answer: ModelAnswer;
  /** With the memories that it contains. */
  prompt: ModelPrompt & { memories: readonly { id: string }[] };
  reservation: Reservation;
  /** Name of the plan. */
  plan: string;
  /** Epoch milliseconds at which the turn began. */
  began: number;
  watch: TurnWatch;
  /** Called when the answer is stored and the clients have it. */
  onEnd(answer: MessageRecord): Promise<void>;
  /** Called when the answer could not be stored. */
  onFailure(error: unknown): Promise<void>;
}

/**
 * Receives the model's answer, gives it to any number of readers, and stores it: the whole answer, or the part that arrived before the
 * provider failed or a client stopped the turn. Continues when all clients have disconnected.
 */
export function recordAnswer(deps: ChatDependencies, recording: Recording): Pick<Turn, "events" | "done"> {
  const { turn, answer, prompt, reservation, plan, began, watch } = recording;
  const live = createLiveAnswer();
  const done = run().catch(async (error: unknown) => {
    const known = toAppError(error);
    // The status 200 is sent already, so this line is the operator's only trace of the error.
    if (known.status >= 500) {
      log("error", { user: turn.user, message: "an answer could not be stored", cause: String(error) });
    }
    live.fail(known);
    await recording.onFailure(error);
  });
  return { events: live.events, done };

  async function run(): Promise<void> {
    const firstToken = deps.clock() - began;
    const { usage: counted, reason, problem } = await receive();
    const body = live.body();
    const estimate = () => ({
      input_tokens: prompt.tokens,
      output_tokens: estimateTokens(body.parts ? JSON.stringify(body.parts) : body.content),
    });
    const usage = limitedTo(reservation.tokens, counted ?? estimate());
    const cost = costOf(deps.specOf(answer.model), usage);
    const latency = deps.clock() - began;
    const message: MessageRecord = {
      id: turn.answer,
      ...(turn.branch ? { branch: turn.branch } : {}),
      role: "assistant",
      ...body,
      created_at: toInstant(timeOf(turn.answer)),
      model: answer.model,
      usage: { ...usage, cost_usd: cost },
      ...(problem === undefined && reason === undefined ? { status: "stopped" } : outcomeOf(body, reason)),
      latency_ms: latency,
      ...(prompt.memories.length > 0 ? { memory_ids: prompt.memories.map(({ id }) => id) } : {}),
    };
    if (problem instanceof ModelError)
      logModelFailure(problem, { model: answer.model, isKnown: deps.isKnown(answer.model) }, prompt);
    const settling = deps.limits.settle(reservation, usage, cost);
    // The recorder writes it together with the metric of the request.
    deps.recorder.note({
      kind: "llm.call",
      dimensions: { model: answer.model, plan },
      measures: { duration_ms: latency, first_token_ms: firstToken, ...usage, cost_usd: cost },
      ...(problem === undefined ? {} : { error: brokenOff(problem).code }),
      user: turn.user,
    });
    const finishing = finishTurn(deps, { ...recording, answer: message });
    const [stored] = await Promise.allSettled([finishing, settling]);
    if (stored.status === "rejected") throw stored.reason;
    if (problem === undefined) live.end(stored.value);
    else live.fail(brokenOff(problem));
    await recording.onEnd(stored.value);
  }

  /** Receives the answer. Without a reason, it broke off because of a problem, or a client stopped the turn. */
  async function receive(): Promise<{ usage: ModelUsage | null; reason?: FinishReason; problem?: unknown }> {
    const stopSaving = callEvery(SAVE_EVERY, () => void savePart());
    // After a long question, the model was told a smaller limit than the reservation has left.
    const maxTokens = Math.max(prompt.maxOutputTokens, reservation.tokens - prompt.tokens);
    const limit = createAnswerLimit(maxTokens, deps.specOf(answer.model).encoding);
    try {
      for await (const event of answer.events) {
        if (event.kind === "end") return event;
        if ("text" in event) {
          const text = await limit.take(event.text);
          if (text) live.append({ ...event, text });
        } else live.append(event);
        // Leaving the loop closes the connection to the provider.
        if (limit.isReached()) return { usage: null, reason: "length" };
      }
      throw new ModelError("down", "the answer ended without an `end` event");
    } catch (problem) {
      return watch.isStopped() ? { usage: null } : { usage: null, problem };
    } finally {
      stopSaving();
      watch.end();
    }
  }

  /** Saves the text so far for clients that reconnect. Connected clients do not need it, so an error is ignored. */
  function savePart(): Promise<void> {
    const part = { text: live.body().content, model: answer.model };
    return deps.turns.saveText(turn, part, deps.clock()).catch(() => undefined);
  }
}

/** An answer is complete when the model ended it and it has content or calls a tool. Without a reason, the provider failed. */
function outcomeOf(
  { content, parts = [] }: MessageBody,
  reason: FinishReason | undefined,
): Pick<MessageRecord, "status" | "finish_reason"> {
  const isCalling = parts.some(({ type }) => type === "tool_call");
  if (reason === "tool_calls" && isCalling) return { status: "complete", finish_reason: reason };
  if ((reason === "stop" || reason === "tool_calls") && content !== "")
    return { status: "complete", finish_reason: "stop" };
  return { status: "incomplete", ...(reason === undefined ? {} : { finish_reason: reason }) };
}

/** The usage, cut to the reserved tokens. */
function limitedTo(
  tokens: number,
  { input_tokens, cached_input_tokens: cached, output_tokens }: ModelUsage,
): ModelUsage {
  const input = Math.min(input_tokens, tokens);
  return {
    input_tokens: input,
    output_tokens: Math.min(output_tokens, tokens - input),
    ...(cached === undefined ? {} : { cached_input_tokens: Math.min(cached, input) }),
  };
}
