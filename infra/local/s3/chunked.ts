import { S3Error } from "./s3-error.ts";

/** The longest chunk header or trailer line, in bytes. */
const MAX_LINE = 8192;

/**
 * Removes the `aws-chunked` encoding from a body whose chunks have no signatures. Yields the data as it arrives, so the
 * caller may use it only once the generator has ended. Passes each line of the trailer to `onTrailer`.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
export async function* decodeChunks(
  source: AsyncIterable<Buffer>,
  onTrailer: (name: string, value: string) => void,
): AsyncGenerator<Buffer> {
  const input = createReader(source);
  try {
    for (;;) {
      const size = readChunkSize(await input.line());
      if (size === 0) break;
      let left = size;
      while (left > 0) {
        const data = await input.some(left);
        left -= data.length;
        yield data;
      }
      if ((await input.line()) !== "") throw malformed();
    }
    // Some clients do not send the blank line at the end.
    for (let line = await input.line(true); line !== ""; line = await input.line(true)) {
      const colon = line.indexOf(":");
      if (colon < 1) throw new S3Error("MalformedTrailerError", `The trailer line "${line}" has no colon.`);
      onTrailer(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
    }
  } finally {
    await input.close();
  }
}

function readChunkSize(line: string): number {
  if (!/^[0-9a-f]{1,12}$/i.test(line)) throw malformed();
  return Number.parseInt(line, 16);
}

interface Reader {
  /** Reads the text up to the next line end. */
  line(mayEnd?: boolean): Promise<string>;
  /** Reads between 1 and `most` bytes. */
  some(most: number): Promise<Buffer>;
  /** Stops reading the source. */
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
  return new S3Error("InvalidRequest", "The aws-chunked encoding of the body is not valid.");
}

/** The error for a body whose length is not the stated one. */
export function incomplete(): S3Error {
  return new S3Error(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
  );
}
