/** What clients have done and seen, as they know it: the model judges by this alone. Times are true ones, in epoch milliseconds. */

/** What a client knows of its request. `lost`: it may have had an effect, or not, or may yet have one. */
export type Outcome = "done" | "refused" | "lost";

/** A request that changes something. */
export interface Deed {
  kind:
    | "create"
    | "append"
    | "turn"
    | "switch"
    | "cut"
    | "stop"
    | "reset"
    | "delete"
    | "forget-one"
    | "forget-all"
    | "erase"
    | "memory-off"
    | "memory-on"
    | "other";
  action: number;
  user: string;
  session: string;
  /** What it says: each text occurs once in a life. Of a turn the question and the answer. */
  says: string[];
  began: number;
  /** When the client was told; infinity when it never was. */
  ended: number;
  /** When its last call reached a store: it has no effect after that. */
  effective: () => number;
  outcome: Outcome;
  /** A session is created by it if there is none. */
  creates: boolean;
  /** Whether a fault has hit it, or it took several attempts. */
  isHit: () => boolean;
  /** The message that the client chose: an edit's parent, the new head, or the first message to delete. */
  choice?: Choice;
  /** The question that is answered again, named as `nameOf` names it. */
  answers?: string;
  /** Tokens of a turn that the client was told. */
  usage?: { input_tokens: number; output_tokens: number };
}

/** How the answer of a turn ended, as a client was told. */
export interface AnswerEnd {
  id: string;
  status: string;
  action: number | "end";
  user: string;
  session: string;
  ended: number;
}

/** A message that a client chose from a list of all messages. Texts are named as `nameOf` names them. */
export interface Choice {
  /** Absent: an edit that begins the conversation again. */
  id: string | null;
  /** All messages of the list. */
  listed: readonly string[];
  /** From the beginning of the conversation to the chosen message. */
  path: readonly string[];
  /** The chosen message and all messages that follow it. */
  subtree: readonly string[];
}

/** A message as a list shows it. */
export interface Item {
  id: string;
  parent_id: string | null;
  role: string;
  content: string;
  /** What it says. An answer that was stopped before it said anything has the word of its model, or nothing if that is not known. */
  text: string;
  status?: string;
}

/** A request that was answered with content. */
export interface Sight {
  /** `messages`: of all branches. `path`: up to the message that the client chose. */
  kind: "messages" | "current" | "path" | "memories" | "kept answer";
  action: number | "end";
  user: string;
  session: string;
  began: number;
  ended: number;
  /** Whole lists only, oldest first: what is not in them is not there. */
  isWhole: boolean;
  texts: string[];
  /** Of lists of messages. */
  items?: Item[];
  /** Of a path: its last message. */
  choice?: Choice;
}

/** Whether a session was there. */
export interface Presence {
  action: number | "end";
  user: string;
  session: string;
  began: number;
  ended: number;
  exists: boolean;
}

/** An answer to a request that leaves a note for the audit. */
export interface Audited {
  request_id: string;
  status: number;
}

/** An erasure, of which the client has a complete receipt. */
export interface Erasure {
  user: string;
  began: number;
  /** Everything that was stored of the user when the receipt was complete, as text. */
  stored: string;
  /** Stores of the receipt that were not empty. */
  left: unknown[];
}

/** A chat turn whose answer names memories. */
export interface Recalled {
  action: number;
  user: string;
  began: number;
  ended: number;
}

export interface History {
  audited: Audited[];
  erasures: Erasure[];
  recalls: Recalled[];
  /** Requests that were answered, refusals included. */
  served: number;
  /** When what had been archived before was no longer kept. */
  ages: readonly number[];
  /** The sessions that are incognito, as `<user>/<session>`. */
  incognito: ReadonlySet<string>;
  deeds: Deed[];
  sights: Sight[];
  presences: Presence[];
  ends: AnswerEnd[];
}
