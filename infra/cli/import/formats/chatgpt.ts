import { BadRecord, type Conversation, type SourceMessage } from "../conversation.ts";
import { joinParts, readInstant, readRole } from "./fields.ts";

interface Node {
  parent?: unknown;
  message?: unknown;
}

interface Message {
  author?: { role?: unknown; name?: unknown } | null;
  create_time?: unknown;
  content?: Content | null;
  recipient?: unknown;
  metadata?: { is_visually_hidden_from_conversation?: unknown; model_slug?: unknown } | null;
}

type Content = { content_type?: unknown; parts?: unknown } & Record<string, unknown>;

/** Types of content that ChatGPT does not show to users. */
const INTERNAL = new Set(["thoughts", "reasoning_recap", "user_editable_context", "model_editable_context"]);

/**
 * Reads a conversation of a ChatGPT export: the branch that the user saw last, without hidden messages.
 * @throws BadRecord when it has no id, no mapping, an unknown role or a bad date.
 */
export function readChatgptConversation(record: Record<string, unknown>): Conversation {
  const id = record.conversation_id ?? record.id;
  if (typeof id !== "string" || id === "") throw new BadRecord("missing conversation_id (or id)");
  const { mapping, title } = record;
  if (typeof mapping !== "object" || mapping === null) throw new BadRecord("missing mapping: an object of nodes");
  const nodes = new Map(Object.entries(mapping as Record<string, Node | null>));
  const startedAt = readInstant(record.create_time, "create_time");
  return {
    id,
    ...(typeof title === "string" && { title }),
    ...(startedAt !== undefined && { startedAt }),
    messages: branchTo(lastNode(nodes, record.current_node), nodes).flatMap(readNode),
  };
}

/** The nodes from the root to a node, following `parent`. Stops at an unknown id, and at a node that is already in the branch. */
function branchTo(last: string | undefined, nodes: ReadonlyMap<string, Node | null>): [string, Node][] {
  const branch = new Map<string, Node>();
  for (let id: unknown = last; typeof id === "string" && !branch.has(id); ) {
    const node = nodes.get(id);
    if (!node) break;
    branch.set(id, node);
    id = node.parent;
  }
  return [...branch].reverse();
}

/** The last node of the branch: `current_node`, or the newest leaf when that is missing or unknown. */
function lastNode(nodes: ReadonlyMap<string, Node | null>, current: unknown): string | undefined {
  if (typeof current === "string" && nodes.get(current)) return current;
  const ids = [...nodes.keys()].filter((id) => nodes.get(id));
  const parents = new Set(ids.map((id) => nodes.get(id)?.parent));
  const leaves = ids.filter((id) => !parents.has(id));
  const time = (id: string) => Number((nodes.get(id)?.message as Message | null | undefined)?.create_time ?? 0);
  // A cycle has no leaf. Of nodes with equal times take the last, because exports write nodes in the order of their creation.
  return (leaves.length > 0 ? leaves : ids).reduce<string | undefined>(
    (newest, id) => (newest === undefined || !(time(id) < time(newest)) ? id : newest),
    undefined,
  );
}

function readNode([id, node]: [string, Node]): SourceMessage[] {
  if (typeof node.message !== "object" || node.message === null) return [];
  const message = node.message as Message;
  const content = isHidden(message) ? "" : readContent(message.content ?? {});
  if (content.trim() === "") return [];
  const at = readInstant(message.create_time, `node ${id}: create_time`);
  const name = message.author?.name;
  const metadata = describe(message);
  return [
    {
      role: readRole(message.author?.role, `node ${id}`),
      content,
      ...(typeof name === "string" && name !== "" && { name }),
      ...(at !== undefined && { at }),
      ...(metadata && { metadata }),
    },
  ];
}

function isHidden({ content, metadata, recipient }: Message): boolean {
  if (metadata?.is_visually_hidden_from_conversation === true) return true;
  if (typeof recipient === "string" && recipient !== "all") return true;
  return typeof content?.content_type === "string" && INTERNAL.has(content.content_type);
}

function readContent(content: Content): string {
  if (Array.isArray(content.parts)) return joinParts(content.parts);
  // code, execution_output and tether_quote have `text`, tether_browsing_display has `result`.
  const { text, result, content_type: type } = content;
  if (typeof text === "string") return text;
  if (typeof result === "string") return result;
  return typeof type === "string" ? `[${type.replaceAll("_", " ")}]` : "";
}

/** Keeps in metadata what has no field in the API: the model, and the type of the content. */
function describe({ content, metadata }: Message): Record<string, unknown> | undefined {
  const model = metadata?.model_slug;
  const type = content?.content_type;
  const kept = {
    ...(typeof model === "string" && { model }),
    ...(typeof type === "string" && type !== "text" && { content_type: type }),
  };
  return Object.keys(kept).length > 0 ? kept : undefined;
}
