import type { ApiError } from "../api.ts";
import type { Draft, LiveAnswer, Message, Session } from "../types.ts";

/** What the page shows of one conversation. */
export interface ConversationState {
  status: "loading" | "ready" | "missing" | "failed";
  session: Session | undefined;
  /** The current branch, oldest first. */
  messages: Message[];
  /** Messages of all branches, as far back as `messages` goes; empty = there is one branch. */
  all: Message[];
  /** Where the earlier messages begin; null = there are none. */
  cursor: string | null;
  isLoadingOlder: boolean;
  /** The message that is on its way. */
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
