import type { Source } from "../../../../infra/cli/import/formats/format.ts";
import { createIndex, type Entry } from "../../../../infra/cli/import/read/entry.ts";

/** One conversation of the plain format, as a line. */
export function plainLine(session: string, count: number, more: object = {}): string {
  const messages = Array.from({ length: count }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    text: `${session}, turn ${i}`,
  }));
  return `${JSON.stringify({ session, title: `About ${session}`, messages, ...more })}\n`;
}

interface NodeSketch {
  role?: string;
  parts?: unknown[];
  content?: object;
  parent?: string | null;
  time?: number | null;
  [key: string]: unknown;
}

/** A node of a ChatGPT export. */
export function node(id: string, { role, parts, content, parent = null, time = null, ...more }: NodeSketch): object {
  const message = role && {
    id,
    author: { role, name: null, metadata: {} },
    create_time: time,
    update_time: null,
    content: content ?? { content_type: "text", parts: parts ?? [] },
    recipient: "all",
    metadata: {},
    weight: 1,
    ...more,
  };
  return { id, parent, children: [], message: message || null };
}

/** A conversation of a ChatGPT export whose nodes follow each other, unless they name their parents. */
export function chatgptConversation(id: string, sketches: NodeSketch[], more: object = {}): Record<string, unknown> {
  const mapping: Record<string, object> = {};
  let previous: string | null = null;
  for (const [i, sketch] of sketches.entries()) {
    const name = `n${i}`;
    mapping[name] = node(name, { parent: previous, ...sketch });
    previous = name;
  }
  return {
    id,
    conversation_id: id,
    title: `Chat ${id}`,
    create_time: 1_700_000_000,
    current_node: previous,
    mapping,
    ...more,
  };
}

/** An export with these files; `left` is what was left out. */
export function source(entries: Entry[] = []): Source & { left: string[] } {
  const left: string[] = [];
  return { find: createIndex(entries), leaveOut: (what) => void left.push(what), left };
}

/** A file of an export. */
export const entryOf = (name: string, content: string): Entry => ({
  name,
  bytes: Buffer.byteLength(content),
  async *open() {
    yield Buffer.from(content);
  },
});
