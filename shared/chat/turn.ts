import type { Clock } from "../clock.ts";
import type { Limits } from "../limits/limits.ts";
import type { NamedPlan } from "../limits/plans.ts";
import type { Model } from "../llm/model.ts";
import type { ModelSpec } from "../llm/models.ts";
import type { Memory, Recall } from "../memory/memory.ts";
import type { Recorder } from "../metrics/record.ts";
import type { NewId } from "../random.ts";
import type { MessageRecord } from "../session/message.ts";
import type { MessageInput } from "../session/schema.ts";
import type { SessionId } from "../session/session.ts";
import type { OnStored } from "../session/stored.ts";
import type { Stores } from "../session/stores.ts";
import type { TurnClaims } from "./claim.ts";
import type { TurnStore } from "./turn-store.ts";

export type ChatStores = Stores & { turns: TurnStore };

export interface ChatDependencies extends ChatStores {
  limits: Limits;
  model: Model;
  /** Whether a request may ask for a model. */
  isOffered(model: string): boolean;
  /** What is known of a model. */
  specOf(model: string): ModelSpec;
  /** Absent = no memories. */
  recall?: Recall | undefined;
  recorder: Recorder;
  settings: ChatSettings;
  clock: Clock;
  /** Makes ids of reservations, and seeds of requests. @default randomId */
  newId?: NewId;
}

export interface ChatSettings {
  model: string;
  systemPrompt: string;
  /** Messages that the model sees at most, the question included. */
  maxMessages: number;
  maxContextTokens: number;
  maxOutputTokens: number;
  /** Milliseconds. */
  firstTokenTimeout: number;
  totalTimeout: number;
  /** Of sessions that a turn creates, in seconds. */
  sessionTtlSeconds: number;
}

export interface TurnRequest {
  session: SessionId;
  plan: NamedPlan;
  claims: TurnClaims;
  /** What is asked. */
  question: Pick<MessageInput, "role" | "content" | "name" | "metadata">;
  /** What was said before, by a client that has kept it itself: stored if the session has no messages yet. */
  before?: readonly MessageInput[];
  /** Of that, what came after the last answer: stored if the session has messages already. */
  since?: readonly MessageInput[];
  /** Overrides the deployment's and the session's system prompt. */
  system?: string | undefined;
  model?: string | undefined;
  temperature?: number | undefined;
  maxOutputTokens?: number | undefined;
  memory: boolean;
  /** Creates the session if it does not exist. */
  create?: boolean;
  /** The session's id is the request's own: nobody else can have made it. */
  isNew?: boolean;
  /** Told of each session and message that the turn stores, until `Turn.done` resolves. */
  onStored?: OnStored;
  /** Epoch milliseconds at which the function is stopped. */
  deadline: number;
}

/** Events of an answer, in order: the last one is `end`, or an error is thrown. */
export type TurnEvent = { kind: "text"; text: string } | { kind: "end"; message: MessageRecord };

/** A turn whose answer has begun. */
export interface Turn {
  /** Id of the answer. */
  id: string;
  session: SessionId;
  model: string;
  memories: Memory[];
  headers: Record<string, string>;
  /** From the beginning; may be called by several readers. */
  events(): AsyncGenerator<TurnEvent>;
  /** Resolves when the answer is stored, or never will be. Never rejects. */
  done: Promise<void>;
}
