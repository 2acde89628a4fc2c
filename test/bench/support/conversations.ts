import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { sessionId } from "../../../infra/cli/import/plan-session.ts";

/** A conversation as it must be stored. */
export interface Written {
  user: string;
  session: string;
  contents: string[];
}

export interface Input {
  file: string;
  written: Written[];
  messages: number;
}

/** Copies the conversations of a JSON Lines file (or `.gz`), with a user for each, and returns what they contain. */
export async function prepareConversations(
  from: string,
  to: string,
  users: number,
  most = Number.POSITIVE_INFINITY,
): Promise<Input> {
  const raw = createReadStream(from);
  const output = createWriteStream(to);
  const written: Written[] = [];
  let messages = 0;
  for await (const line of createInterface({ input: from.endsWith(".gz") ? raw.pipe(createGunzip()) : raw })) {
    if (written.length >= most) break;
    const record = JSON.parse(line) as { session: string; messages: { text?: string; content?: string }[] };
    const user = `user-${written.length % users}`;
    const contents = record.messages.map(({ text, content }) => content ?? text ?? "");
    written.push({ user, session: sessionId(record.session), contents });
    messages += contents.length;
    if (!output.write(`${JSON.stringify({ ...record, user })}\n`)) await once(output, "drain");
  }
  raw.destroy();
  output.end();
  await once(output, "finish");
  return { file: to, written, messages };
}
