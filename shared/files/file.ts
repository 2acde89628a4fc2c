import { retention } from "../retention/policy.ts";

/** Maximum bytes of a file. */
export const MAX_FILE_BYTES = 25 * 1024 * 1024;

/** Seconds for which a signed URL is valid. An upload URL expires long before its file. */
export const URL_SECONDS = 3600;

/** Seconds until a file that no message names is deleted. */
export const unusedSeconds = (): number => retention.unusedFile.seconds;

/** A file as it is stored, without its content. */
export interface FileRecord {
  user_id: string;
  /** A UUIDv7. */
  id: string;
  filename: string;
  /** The type that the client gave. Downloads have another one: see `servedType`. */
  media_type: string;
  bytes: number;
  /** SHA-256 of the content, in hex. */
  sha256?: string;
  /** "ready" means that the content is stored. */
  status: "uploading" | "ready";
  /** ISO 8601. */
  created_at: string;
  /** Epoch seconds. Absent = a message names the file, so it lives as long as its session. */
  expires_at?: number;
  /** The session whose messages name the file. */
  session?: string;
  /** The generation of that session in which the last message named the file. */
  generation?: number;
  /** The id of the last message that named the file. */
  message?: string;
}

/** A media type that is valid in a header. */
export const MEDIA_TYPE =
  /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}(; ?charset=[a-z0-9_-]{1,40})?$/;

/** Whether a file may have this name: it must have no characters that control a terminal, a header or the direction of text. */
export function isFilename(name: string): boolean {
  return name !== "" && name.length <= 255 && name.isWellFormed() && !/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(name);
}

/** Returns the type with which a file is served. Types that could run scripts, such as HTML or SVG, are served as bytes. */
export function servedType({ media_type }: Pick<FileRecord, "media_type">): string {
  const [type = ""] = media_type.split(";");
  return HARMLESS.test(type) ? type : "application/octet-stream";
}

const HARMLESS =
  /^(image\/(png|jpeg|gif|webp|avif)|(audio|video)\/(mpeg|mp4|ogg|wav|webm)|application\/pdf|text\/plain)$/;

/**
 * Returns a `content-disposition` that makes browsers save the file under its name (RFC 6266). It has the name in UTF-8 (RFC 8187), and in
 * ASCII for old clients.
 */
export function attachmentOf({ filename }: Pick<FileRecord, "filename">): string {
  const name = filename.replaceAll(/[/\\]/g, "_");
  const ascii = name.replaceAll(/[^ -~]|["%]/g, "_");
  // RFC 8187 allows fewer characters than encodeURIComponent leaves.
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
