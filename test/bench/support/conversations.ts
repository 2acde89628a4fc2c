import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { sessionId } from "../../../infra/cli/import/plan-session.ts";
import { type InputPart, textOf } from "../../../shared/session/parts.ts";

/** A conversation as it must be stored. */
export interface Written {
  user: string;
  session: string;
  messages: WrittenMessage[];
  /** Indexes of the messages on the current branch, in order. */
  current: number[];
}

export interface WrittenMessage {
  content: string;
  /** Without the ids of files. */
  parts?: Record<string, unknown>[];
  /** Index of its parent; absent = it begins the conversation. */
  parent?: number;
  /** The content of its file. */
  file?: string;
}

export interface Input {
  file: string;
  written: Written[];
  messages: number;
  /** Conversations with calls of tools, a file, an edit, another answer and a switch. */
  branched: number;
  files: number;
}

interface InputOptions {
  users: number;
  /** Every n-th conversation gets parts, a file and branches. */
  branchedEvery: number;
  /** @default all */
  most?: number;
}

interface Line {
  session: string;
  messages: { role: string; text?: string; content?: string }[];
}

/** Copies the conversations of a JSON Lines file (or `.gz`), with a user for each, and returns what they contain. */
export async function prepareConversations(from: string, to: string, options: InputOptions): Promise<Input> {
  const { users, branchedEvery, most = Number.POSITIVE_INFINITY } = options;
  const raw = createReadStream(from);
  const output = createWriteStream(to);
  const input: Input = { file: to, written: [], messages: 0, branched: 0, files: 0 };
  for await (const text of createInterface({ input: from.endsWith(".gz") ? raw.pipe(createGunzip()) : raw })) {
    const { written } = input;
    if (written.length >= most) break;
    const line = JSON.parse(text) as Line;
    const isBranched = written.length % branchedEvery === 0 && line.messages.length > 1;
    const user = `user-${written.length % users}`;
    const { record, messages, current } = isBranched ? addBranches(line, written.length) : asItIs(line);
    written.push({ user, session: sessionId(line.session), messages, current });
    input.messages += messages.length;
    input.branched += isBranched ? 1 : 0;
    input.files += messages.filter(({ file }) => file !== undefined).length;
    if (!output.write(`${JSON.stringify({ ...record, user })}\n`)) await once(output, "drain");
  }
  raw.destroy();
  output.end();
  await once(output, "finish");
  return input;
}

/** What a message says, to compare it with another one: its parts without the ids of files, or its content. */
export function saidBy(content: string, parts: unknown): string {
  if (!Array.isArray(parts)) return content;
  return JSON.stringify(parts.map(({ file_id: _id, ...part }: Record<string, unknown>) => part));
}

/** The texts of the current branch. */
export const currentOf = ({ messages, current }: Written): string[] =>
  current.flatMap((index) => messages[index] ?? []).map(({ content, parts }) => saidBy(content, parts));

function asItIs(record: Line) {
  const messages = record.messages.map(({ text, content }, index): WrittenMessage => {
    return { content: content ?? text ?? "", ...(index > 0 && { parent: index - 1 }) };
  });
  return { record, messages, current: [...messages.keys()] };
}

/**
 * Adds to a conversation a file in its first message, a call of a tool with its result before its second one, an edit of the first message
 * with an answer, and another answer in place of the last message. In every other conversation the current branch is not the last one.
 */
function addBranches(line: Line, n: number) {
  const texts = line.messages.map(({ text, content }) => content ?? text ?? "");
  const [first = "", ...rest] = texts;
  const file = `Notes of ${line.session}: ${first}`;
  const named = { type: "file", media_type: "text/plain", filename: `notes-${n}.txt` };
  const data = `data:text/plain;base64,${Buffer.from(file).toString("base64")}`;
  const call = { type: "tool_call", tool_call_id: `call-${n}`, name: "search", input: { q: first, n } };
  const result = {
    type: "tool_result",
    tool_call_id: `call-${n}`,
    name: "search",
    output: [first],
    is_error: n % 3 === 0,
  };
  const said: { role: string; parts: Record<string, unknown>[]; parent?: number }[] = [];
  const say = (role: string, parts: Record<string, unknown>[], parent: number | undefined = said.length - 1) =>
    said.push({ role, parts, ...(parent >= 0 && { parent }) });
  const text = (of: string) => [{ type: "text", text: of }];

  say("user", [...text(first), named]);
  say("assistant", [call]);
  say("tool", [result]);
  for (const [index, each] of rest.entries()) say(line.messages[index + 1]?.role ?? "user", text(each));
  const last = said.length - 1;
  say("user", text(`Edited: ${first}`), -1);
  say("assistant", text(`Answer to the edit of ${line.session}`));
  say("assistant", text(`Another answer in ${line.session}`), said[last]?.parent);
  const head = n % 2 === 0 ? last : said.length - 1;

  const id = (index: number) => `m${index}`;
  const record = {
    ...line,
    head_id: id(head),
    messages: said.map(({ role, parts, parent }, index) => ({
      id: id(index),
      parent_id: parent === undefined ? null : id(parent),
      role,
      parts: parts.map((part) => (part === named ? { type: "file", filename: named.filename, data } : part)),
    })),
  };
  const messages = said.map(({ parts, parent }, index): WrittenMessage => {
    const isText = parts.length === 1 && parts[0]?.type === "text";
    return {
      content: textOf(parts as unknown as InputPart[]),
      ...(!isText && { parts }),
      ...(parent !== undefined && { parent }),
      ...(index === 0 && { file }),
    };
  });
  const current: number[] = [];
  for (let at: number | undefined = head; at !== undefined; at = said[at]?.parent) current.unshift(at);
  return { record, messages, current };
}
