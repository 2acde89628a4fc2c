import { gzipSync } from "node:zlib";
import { sha256 } from "../hash.ts";
import { parseStored } from "../parse-stored.ts";
import type { ArchivedHeader } from "../session/archive.ts";
import type { MessageRecord } from "../session/message.ts";
import type { Chunk } from "../session/session.ts";
import { createTally, isOn, pathOf, placeOf, type Tree } from "../session/tree.ts";

/** Approximate bytes of JSON Lines in one chunk. A read of one page of an archived session fetches and unpacks at least one chunk. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Writes a session as gzipped JSON Lines: the session first, then its messages. Each chunk is a separate gzip member, and a sequence of
 * members is a valid gzip file (RFC 1952, section 2.2). So any tool can read the whole object, and Memocha can read single chunks.
 */
export function createWriter(header: ArchivedHeader) {
  const chunks: Chunk[] = [];
  let bytes = 0;
  const tally = createTally(header.tree);
  const current = pathOf(header.tree);
  const parents = new Map<number, string>();
  let source: AsyncIterator<Buffer> | undefined;
  const identity = identityOf(header);

  const member = (text: string): Buffer => {
    const compressed = gzipSync(text);
    bytes += compressed.length;
    return compressed;
  };

  async function* generate(messages: AsyncIterable<MessageRecord[]>): AsyncGenerator<Buffer> {
    yield member(toLine(sessionLine(identity, header)));
    let text = "";
    for await (const page of messages) {
      for (const message of page) {
        if (!tally.add(message)) continue;
        const { branch, position, id } = placeOf(message);
        if (text === "") chunks.push({ offset: bytes, first: position });
        const parent = parents.get(branch) ?? header.tree.branches[branch]?.from?.id ?? null;
        text += toLine(messageLine(identity, message, parent, isOn(current, message)));
        parents.set(branch, id);
        if (text.length >= CHUNK_BYTES) {
          yield member(text);
          text = "";
        }
      }
    }
    if (text !== "") yield member(text);
  }

  return {
    /** Returns the object's bytes. If the reader stops early, `rest` returns the other bytes. */
    body(messages: AsyncIterable<MessageRecord[]>): AsyncIterable<Buffer> {
      source = generate(messages)[Symbol.asyncIterator]();
      // No `return`, because an upload that stops must not end the source.
      return { [Symbol.asyncIterator]: () => ({ next: () => iterator().next() }) };
    },
    /** Returns the bytes that `body` has not yielded. */
    rest(): AsyncIterable<Buffer> {
      return { [Symbol.asyncIterator]: () => ({ next: () => iterator().next() }) };
    },
    /** Returns the chunks and counts of the written messages. They are complete when all bytes were read. */
    result: () => ({ chunks, bytes, ...tally.result }),
  };

  function iterator(): AsyncIterator<Buffer> {
    if (!source) throw new Error("call body() before rest()");
    return source;
  }
}

/** The first line of an archived session. */
export interface SessionLine extends LineIdentity {
  type: "session";
  user_id: string;
  id: string;
  title: string | null;
  /** Id of the last message that the title was made from. Absent = a client set the title. */
  title_of?: string;
  metadata: Record<string, unknown>;
  created_at: string;
  ttl_seconds: number;
  pinned: boolean;
  /** The session's tree. Absent = it never branched. */
  branch?: number;
  branches?: Tree["branches"];
}

export interface MessageLine extends LineIdentity, Omit<MessageRecord, "client_id" | "keyed" | "order"> {
  type: "message";
  session_id: string;
  /** Absent = an earlier version wrote the line, so the message follows the previous line and is on the current branch. */
  parent_id?: string | null;
  /** Whether the message is on the current branch. */
  is_current?: boolean;
}

/** Identifies the session of a line to readers that must not know its user. */
interface LineIdentity {
  /** 32 hexadecimal digits, unique among all sessions of all users. They do not reveal the user or the session id. */
  session_key: string;
  generation: number;
}

/** Reads the messages in unpacked JSON Lines. */
export function parseLines(bytes: Uint8Array): MessageRecord[] {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const {
        type: _type,
        session_key: _key,
        generation: _generation,
        session_id: _session,
        is_current: _isCurrent,
        ...rest
      } = parseLine<Record<string, unknown>>(line);
      return rest as unknown as MessageRecord;
    });
}

export const parseLine = <T>(line: string): T => parseStored<T>(line, "a line of the archive");

const toLine = (value: object): string => `${JSON.stringify(value)}\n`;

function identityOf({ user_id, id, seed, live_generation }: ArchivedHeader): LineIdentity & { session_id: string } {
  // Hash the secret seed as well, because an attacker could find the user by hashing many users and ids otherwise.
  const digest = sha256(JSON.stringify([seed, user_id, id]));
  return { session_key: digest.slice(0, 32), generation: live_generation, session_id: id };
}

// The fields are listed one by one, because DynamoDB returns attributes in any order, and the same session must always have the same bytes.
function sessionLine({ session_key, generation }: LineIdentity, header: ArchivedHeader): object {
  const { user_id, id, title, title_of, metadata, created_at, ttl_seconds, pinned } = header;
  const { branches, current } = header.tree;
  const said = {
    type: "session",
    session_key,
    generation,
    user_id,
    id,
    title,
    title_of: title_of ?? undefined,
    metadata,
    created_at,
  };
  return { ...said, ttl_seconds, pinned, ...(branches.length > 1 ? { branch: current, branches } : {}) };
}

function messageLine(
  identity: LineIdentity & { session_id: string },
  message: MessageRecord,
  parent_id: string | null,
  is_current: boolean,
): object {
  const { session_key, generation, session_id } = identity;
  const { id, role, name, content, parts, created_at, metadata, model, usage, status, finish_reason } = message;
  const { latency_ms, memory_ids, branch, client_id, keyed, order } = message;
  const { input_tokens, cached_input_tokens, output_tokens, cost_usd } = usage ?? {};
  return {
    type: "message",
    session_key,
    generation,
    session_id,
    id,
    parent_id,
    branch,
    is_current,
    role,
    name,
    content,
    parts,
    created_at,
    metadata,
    model,
    usage: usage && { input_tokens, cached_input_tokens, output_tokens, cost_usd },
    status,
    finish_reason,
    latency_ms,
    memory_ids,
    client_id,
    keyed,
    order,
  };
}
