const DATA_URL = /^data:([^,;]*)((?:;[^,;]*)*),(.*)$/s;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Reads the type and content of a `data:` URL (RFC 2397). Returns `null` when the URL is invalid or has no content. */
export function parseDataUrl(url: string): { media_type: string; content: Buffer } | null {
  const [, type, parameters = "", data = ""] = DATA_URL.exec(url) ?? [];
  if (type === undefined) return null;
  const isBase64 = /;base64$/i.test(parameters);
  if (isBase64 && !BASE64.test(data)) return null;
  const content = isBase64 ? Buffer.from(data, "base64") : decode(data);
  return content?.length ? { media_type: type.toLowerCase() || "text/plain", content } : null;
}

function decode(data: string): Buffer | null {
  try {
    return Buffer.from(decodeURIComponent(data));
  } catch {
    return null;
  }
}
