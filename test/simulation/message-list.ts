/** What the simulation's clients take from lists of messages. */

import { answerOf } from "./fake-model.ts";
import type { Choice, Item } from "./history.ts";
import { namesOf } from "./model.ts";

/** The fields of a message in an answer that the simulation looks at. */
export type Listed = Pick<Item, "id" | "parent_id" | "role" | "content" | "status"> & { model?: string };

export function itemsOf(messages: readonly Listed[]): Item[] {
  return messages.map(({ id, parent_id, role, content, status, model }) => ({
    id,
    parent_id,
    role,
    content,
    text: content || (model ? answerOf(model).join("") : ""),
    ...(status === undefined ? {} : { status }),
  }));
}

/** The choice of a message from a list of all branches. `null`: the client chooses to begin again. */
export function chooseFrom(items: readonly Item[], chosen: Item | null): Choice {
  const byId = new Map(items.map((item) => [item.id, item]));
  const path: Item[] = [];
  for (let item = chosen ?? undefined; item; item = byId.get(item.parent_id ?? "")) path.unshift(item);
  const followers = new Set(chosen ? [chosen.id] : []);
  // Messages come after the ones that they follow.
  for (const { id, parent_id } of items) if (parent_id !== null && followers.has(parent_id)) followers.add(id);
  return {
    id: chosen?.id ?? null,
    listed: namesIn(items),
    path: namesIn(path),
    subtree: namesIn(items.filter(({ id }) => followers.has(id))),
  };
}

const namesIn = (items: readonly Item[]): string[] => namesOf(items.flatMap(({ text }) => text || []));

/** What was said, in an answer of any operation. */
export const textsIn = (body: unknown): string[] => everyTextIn(body).filter((text) => text !== "");

function everyTextIn(body: unknown): string[] {
  const { data, message, choices } = (body ?? {}) as Record<string, unknown>;
  if (Array.isArray(data)) return data.map(({ content }) => String(content));
  if (message) return [String((message as { content: string }).content)];
  if (Array.isArray(choices)) return choices.map((choice) => String(choice.message?.content));
  return [];
}
