import type { AnswerOf, Api, RequestOf } from "../api.ts";
import type { Message } from "../types.ts";

/** Messages per page of all branches, and the maximum number of pages. */
const BRANCH_PAGE = 100;
const BRANCH_PAGES = 10;

/** Loads the messages of all branches of a session, oldest first. `from`: the earliest time; undefined = all. */
export async function fetchBranches(
  api: Api,
  { id, from, signal }: { id: string; from: string | undefined; signal: AbortSignal },
): Promise<Message[]> {
  const all: Message[] = [];
  let cursor: string | null = null;
  for (let n = 0; n < BRANCH_PAGES; n++) {
    const query: RequestOf<"GET /v1/sessions/{id}/messages">["query"] = {
      limit: BRANCH_PAGE,
      ...(from !== undefined && { from }),
      ...(cursor && { cursor }),
      branch: "all",
    };
    const request = { params: { id }, query, signal };
    const page: AnswerOf<"GET /v1/sessions/{id}/messages"> = await api.call("GET /v1/sessions/{id}/messages", request);
    all.push(...(page.data as Message[]));
    cursor = page.next_cursor;
    if (cursor === null) break;
  }
  return all;
}

/** Returns the versions of a message, oldest first: the messages with the same parent. A single one was never edited or regenerated. */
export function siblingsIn(all: readonly Message[], { parent_id, role }: Message): Message[] {
  if (parent_id === undefined) return [];
  return all.filter((other) => other.parent_id === parent_id && other.role === role);
}

/** Returns the newest message below another one, which is the end of the branch that was shown last. */
export function newestBelow(all: readonly Message[], from: Message): Message {
  const below = new Set([from.id]);
  let newest = from;
  // A message is stored after the one that it follows.
  for (const message of all) {
    if (!message.parent_id || !below.has(message.parent_id)) continue;
    below.add(message.id);
    newest = message;
  }
  return newest;
}
