import { gzipSync } from "node:zlib";
import { type MessageRecord, positionOf } from "../session/message.ts";
import type { ArchivedHeader } from "./archive.ts";
import type { Chunk } from "./archive-ref.ts";

/** Bytes of JSON Lines in one chunk, about: what reading one page of an archived session has to fetch and unpack. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Writes a session as gzipped JSON Lines: the session first, then its messages. Every chunk is a gzip member of its
 * own, and members one after the other are one gzip file (RFC 1952, section 2.2), so the object can be read whole by
 * any tool and in parts by its chunks.
 */
export function createWriter(header: ArchivedHeader) {
  const chunks: Chunk[] = [];
  let bytes = 0;
  let messageCount = 0;
  let last: string | null = null;
  let source: AsyncIterator<Buffer> | undefined;

  const member = (text: string): Buffer => {
    const compressed = gzipSync(text);
    bytes += compressed.length;
    return compressed;
  };

  async function* generate(messages: AsyncIterable<MessageRecord[]>): AsyncGenerator<Buffer> {
    yield member(toLine(sessionLine(header)));
    let text = "";
    for await (const page of messages) {
      for (const message of page) {
        if (text === "") chunks.push({ offset: bytes, first: positionOf(message) });
        text += toLine(messageLine(header.id, message));
        messageCount++;
        last = message.created_at;
        if (text.length >= CHUNK_BYTES) {
          yield member(text);
          text = "";
        }
      }
    }
    if (text !== "") yield member(text);
  }

  return {
    /** The object's bytes. A reader that stops early leaves the rest to `rest`. */
    body(messages: AsyncIterable<MessageRecord[]>): AsyncIterable<Buffer> {
      source = generate(messages)[Symbol.asyncIterator]();
      // No `return`: the upload that gives up must not end the source.
      return { [Symbol.asyncIterator]: () => ({ next: () => iterator().next() }) };
    },
    /** What `body` has not given out yet. */
    rest(): AsyncIterable<Buffer> {
      return { [Symbol.asyncIterator]: () => ({ next: () => iterator().next() }) };
    },
    /** What was written; complete once the source has ended. */
    result: () => ({ chunks, bytes, messageCount, last }),
  };

  function iterator(): AsyncIterator<Buffer> {
    if (!source) throw new Error("the body comes first");
    return source;
  }
}

/** The messages in unpacked JSON Lines. */
export function parseLines(bytes: Uint8Array): MessageRecord[] {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const { type: _type, session_id: _session, ...message } = JSON.parse(line);
      return message as MessageRecord;
    });
}

const toLine = (value: object): string => `${JSON.stringify(value)}\n`;

// The fields are named one by one: DynamoDB gives an item's attributes in any order, and the same session must always
// give the same bytes.
function sessionLine(header: ArchivedHeader): object {
  const { user_id, id, title, metadata, created_at, ttl_seconds, pinned, live_generation: generation } = header;
  return { type: "session", user_id, id, title, metadata, created_at, ttl_seconds, pinned, generation };
}

function messageLine(session_id: string, message: MessageRecord): object {
  const { id, role, name, content, created_at, metadata, model, usage, status, keyed, order } = message;
  const { input_tokens, output_tokens } = usage ?? {};
  return {
    type: "message",
    session_id,
    id,
    role,
    name,
    content,
    created_at,
    metadata,
    model,
    usage: usage && { input_tokens, output_tokens },
    status,
    keyed,
    order,
  };
}
