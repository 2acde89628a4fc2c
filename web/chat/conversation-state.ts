import type { ApiError } from "../api.ts";
import type { Draft, LiveAnswer, Message, Session } from "../types.ts";

/** The state of one conversation on the page. */
export interface ConversationState {
  status: "loading" | "ready" | "missing" | "failed";
  session: Session | undefined;
  /** The current branch, oldest first. */
  messages: Message[];
  /** Messages of all branches, back to the time of the first of `messages`; empty = there is one branch. */
  all: Message[];
  /** The cursor of the earlier messages; null = there are none. */
  cursor: string | null;
  isLoadingOlder: boolean;
  /** The message that is being sent. */
  sending: Draft | undefined;
  live: LiveAnswer | undefined;
  isStopping: boolean;
  failure: { error: ApiError; again: () => void } | undefined;
}

export const initialState: ConversationState = {
  status: "loading",
  session: undefined,
  messages: [],
  all: [],
  cursor: null,
  isLoadingOlder: false,
  sending: undefined,
  live: undefined,
  isStopping: false,
  failure: undefined,
};
