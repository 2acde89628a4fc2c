import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { ReadFiles } from "../files/prompt-files.ts";
import type { TurnClaims } from "../idempotency/claim.ts";
import type { Limits } from "../limits/limits.ts";
import type { NamedPlan } from "../limits/plans.ts";
import type { AnswerPiece, Model } from "../llm/model.ts";
import type { ModelSpec } from "../llm/models.ts";
import type { BranchMemory, Memory, Recall } from "../memory/memory.ts";
import type { Recorder } from "../metrics/recorder.ts";
import type { NewId } from "../random.ts";
import type { MessageRecord } from "../session/message.ts";
import type { InputPart } from "../session/parts.ts";
import type { MessageInput } from "../session/schema.ts";
import type { SessionId } from "../session/session.ts";
import type { OnStored, Stores } from "../session/store.ts";
import type { TurnStore } from "./turn-store.ts";

export type ChatStores = Stores & { turns: TurnStore };

export interface ChatDependencies extends ChatStores {
  limits: Limits;
  model: Model;
  /** Whether a request may ask for a model. */
  isOffered(model: string): boolean;
  /** Whether the deployment knows the name of a model. */
  isKnown(model: string): boolean;
  /** Gives the context size, prices and encoding of a model. */
  specOf(model: string): ModelSpec;
  /** Reads the files that messages name. @default the model sees their names */
  readFiles?: ReadFiles;
  /** @default no memories */
  recall?: Recall<BranchMemory> | undefined;
  recorder: Recorder;
  settings: ChatSettings;
  clock: Clock;
  /** Makes ids of reservations and seeds of requests. @default randomId */
  newId?: NewId;
}

export interface ChatSettings {
  model: string;
  /** Gives sessions their titles. @default their first words do */
  titleModel?: string;
  systemPrompt: string;
  /** Maximum messages that the model sees, the question included. */
  maxMessages: number;
  maxContextTokens: number;
  maxOutputTokens: number;
  /** Milliseconds. */
  firstTokenTimeout: number;
  totalTimeout: number;
  /** Time to live of sessions that a turn creates. */
  sessionTtlSeconds: number;
}

/** A question as the client gives it: its `data:` URLs become files when the turn begins. */
interface Question extends Pick<MessageInput, "role" | "name" | "metadata"> {
  content: string;
  parts?: InputPart[];
  client_id?: string;
}

export interface TurnRequest {
  session: SessionId;
  plan: NamedPlan;
  claims: TurnClaims;
  question: Question;
  /** Path of the question in the request, for errors. @default "" */
  path?: string;
  /** Places of the question's parts in that message of the request, for errors. @default they are the same */
  places?: readonly number[] | undefined;
  /** Id of the message that the question follows; `null` = none. An earlier message begins a branch. Absent = the end of the current one. */
  parent?: string | null | undefined;
  /** The stored message that is answered again, instead of a new question: see `askAgain`. */
  asked?: MessageRecord | undefined;
  /** `asked` are results of tools that the client sends again, because the model failed. Another request may do the same. */
  isRepeated?: boolean;
  /** History that the client has kept. It is stored if the session has no messages yet. */
  before?: readonly MessageInput[];
  /** Paths of these messages in the request, for errors. */
  beforePaths?: readonly string[] | undefined;
  /** The part of `before` after its last answer. It is stored if the session has messages already. */
  since?: readonly MessageInput[];
  /** Overrides the deployment's and the session's system prompt. */
  system?: string | undefined;
  model?: string | undefined;
  /** Parameters of OpenAI's chat completions that reach the provider as they are. */
  parameters?: Readonly<Record<string, unknown>> | undefined;
  maxOutputTokens?: number | undefined;
  /** Whether memories are recalled, or a function that reads that. */
  memory: boolean | (() => Promise<boolean>);
  /** Whether the session is incognito, if the turn creates it. An existing one must be as this says. Absent = it may be either. */
  incognito?: boolean | undefined;
  /** Creates the session if it does not exist. */
  create?: boolean;
  /** The session's id was made for this request, so the session cannot exist yet. */
  isNew?: boolean;
  /** Called for each session and message that the turn stores, until `Turn.done` resolves. */
  onStored?: OnStored;
  /** Epoch milliseconds at which the function is stopped. */
  deadline: number;
}

/** Events of an answer, in order: the last one is `end`, or an error is thrown. */
export type TurnEvent = AnswerPiece | { kind: "end"; message: MessageRecord };

/** The error of an answer that has begun and did not end. */
export const brokenOff = (cause?: unknown): AppError => new AppError("bad_gateway", "the answer broke off", { cause });

/** A turn whose answer has begun. */
export interface Turn {
  /** Id of the answer. */
  id: string;
  /** Id of the message that it answers. Absent = another attempt runs the turn. */
  parent_id?: string;
  session: SessionId;
  model: string;
  memories: Memory[];
  headers: Record<string, string>;
  /** Gives all events from the first one. Several readers may call it. */
  events(): AsyncGenerator<TurnEvent>;
  /** Resolves when the answer is stored or the turn has failed. Never rejects. */
  done: Promise<void>;
}
