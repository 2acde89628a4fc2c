import { createHash } from "node:crypto";
import { S3Error } from "./error.ts";
import { type Signed, sameText } from "./signature.ts";

/** Longest chunk header or trailer line, in bytes. */
const MAX_LINE = 8192;
const PREFIX = "AWS4-HMAC-SHA256";
const EMPTY_HASH = createHash("sha256").digest("hex");

/**
 * Takes the `aws-chunked` framing off a body, verifying every chunk's signature when the kind of payload says that
 * they are signed (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html). The data is yielded as it
 * arrives: it may be used only once the generator has ended. The trailer's lines go to `onTrailer`.
 */
export async function* decodeChunks(
  source: AsyncIterable<Buffer>,
  signed: Signed,
  onTrailer: (name: string, value: string) => void,
): AsyncGenerator<Buffer> {
  const input = createReader(source);
  try {
    const trailer = yield* decode(input, signed);
    for (const [name, value] of trailer) onTrailer(name, value);
  } finally {
    await input.close();
  }
}

async function* decode(input: Reader, signed: Signed): AsyncGenerator<Buffer, Map<string, string>> {
  const verifies = signed.payload.startsWith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  let previous = signed.signature;
  for (;;) {
    const { size, signature } = readChunkHeader(await input.line());
    const hash = createHash("sha256");
    let left = size;
    while (left > 0) {
      const data = await input.some(left);
      left -= data.length;
      if (verifies) hash.update(data);
      yield data;
    }
    if (verifies) {
      const text = [`${PREFIX}-PAYLOAD`, signed.time, signed.scope, previous, EMPTY_HASH, hash.digest("hex")];
      previous = checkSignature(signed, text, signature);
    }
    if (size === 0) break;
    if ((await input.line()) !== "") throw malformed();
  }
  const trailer = await readTrailer(input);
  const signature = trailer.get("x-amz-trailer-signature");
  trailer.delete("x-amz-trailer-signature");
  if (verifies && signed.payload.endsWith("-TRAILER")) {
    const lines = [...trailer].map(([name, value]) => `${name}:${value}\n`).join("");
    const hash = createHash("sha256").update(lines).digest("hex");
    checkSignature(signed, [`${PREFIX}-TRAILER`, signed.time, signed.scope, previous, hash], signature);
  }
  return trailer;
}

function checkSignature(signed: Signed, lines: string[], claimed: string | undefined): string {
  const expected = signed.sign(lines.join("\n"));
  if (!sameText(expected, claimed ?? "")) {
    throw new S3Error("SignatureDoesNotMatch", "The signature of a chunk does not match its content.");
  }
  return expected;
}

function readChunkHeader(line: string): { size: number; signature: string | undefined } {
  const match = /^([0-9a-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line);
  if (!match) throw malformed();
  return { size: Number.parseInt(match[1] ?? "", 16), signature: match[2] };
}

async function readTrailer(input: Reader): Promise<Map<string, string>> {
  const trailer = new Map<string, string>();
  // The blank line at the end is missing from what some clients send.
  for (let line = await input.line(true); line !== ""; line = await input.line(true)) {
    const colon = line.indexOf(":");
    if (colon < 1)
      throw new S3Error("MalformedTrailerError", "The request contained trailing data that was not well-formed.");
    trailer.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return trailer;
}

interface Reader {
  /** The text up to the next line end. */
  line(mayEnd?: boolean): Promise<string>;
  /** Between 1 and `most` bytes. */
  some(most: number): Promise<Buffer>;
  /** Lets go of the source, wherever it stands. */
  close(): Promise<void>;
}

function createReader(source: AsyncIterable<Buffer>): Reader {
  const iterator = source[Symbol.asyncIterator]();
  let buffer: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done) return false;
    buffer = buffer.length > 0 ? Buffer.concat([buffer, next.value]) : next.value;
    return true;
  };
  return {
    line: async (mayEnd = false) => {
      for (;;) {
        const end = buffer.indexOf("\n");
        if (end >= 0) {
          const line = buffer.toString("latin1", 0, end).replace(/\r$/, "");
          buffer = buffer.subarray(end + 1);
          return line;
        }
        if (buffer.length > MAX_LINE) throw malformed();
        if (!(await fill())) {
          if (!mayEnd || buffer.length > 0) throw incomplete();
          return "";
        }
      }
    },
    some: async (most) => {
      while (buffer.length === 0) if (!(await fill())) throw incomplete();
      const data = buffer.subarray(0, most);
      buffer = buffer.subarray(data.length);
      return data;
    },
    close: async () => {
      await iterator.return?.();
    },
  };
}

function malformed(): S3Error {
  return new S3Error("InvalidRequest", "The aws-chunked encoding of the body is not well-formed.");
}

/** The body ended before it said that it would. */
export function incomplete(): S3Error {
  return new S3Error(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
  );
}
