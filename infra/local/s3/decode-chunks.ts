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
  const iterator = source[Symbol.asyncIterator]();
  let buffer: Buffer = Buffer.alloc(0);
  const fill = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done) return false;
    buffer = buffer.length > 0 ? Buffer.concat([buffer, next.value]) : next.value;
    return true;
  };
  const line = async (mayBeMissing = false): Promise<string> => {
    for (;;) {
      const end = buffer.indexOf("\n");
      if (end >= 0) {
        const text = buffer.toString("latin1", 0, end).replace(/\r$/, "");
        buffer = buffer.subarray(end + 1);
        return text;
      }
      if (buffer.length > MAX_LINE) throw malformed();
      if (await fill()) continue;
      if (mayBeMissing && buffer.length === 0) return "";
      throw incomplete();
    }
  };

  try {
    for (let left = readSize(await line()); left > 0; left = readSize(await line())) {
      while (left > 0) {
        if (buffer.length === 0 && !(await fill())) throw incomplete();
        const data = buffer.subarray(0, left);
        buffer = buffer.subarray(data.length);
        left -= data.length;
        yield data;
      }
      if ((await line()) !== "") throw malformed();
    }
    // Some clients do not send the blank line at the end.
    for (let text = await line(true); text !== ""; text = await line(true)) {
      const [, name, value] = /^([^:]+):(.*)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) {
        throw new S3Error("MalformedTrailerError", `The trailer line "${text}" has no colon.`);
      }
      onTrailer(name.trim().toLowerCase(), value.trim());
    }
  } finally {
    await iterator.return?.();
  }
}

function readSize(line: string): number {
  if (!/^[0-9a-f]{1,12}$/i.test(line)) throw malformed();
  return Number.parseInt(line, 16);
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
