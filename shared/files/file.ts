import { retention } from "../retention/policy.ts";

/** Bytes that a file may have. */
export const MAX_FILE_BYTES = 25 * 1024 * 1024;

/** Seconds for which a signed URL is valid. An upload URL ends long before its file does. */
export const URL_SECONDS = 3600;

/** Seconds until a file that no message names is deleted. */
export const unusedSeconds = (): number => retention.unusedFile.seconds;

/** A file as it is stored, without its content. */
export interface FileRecord {
  user_id: string;
  /** A UUIDv7. */
  id: string;
  filename: string;
  /** The client's claim. Never served as it is: see `servedType`. */
  media_type: string;
  bytes: number;
  /** Hex. */
  sha256?: string;
  /** `ready`: the content is there. */
  status: "uploading" | "ready";
  /** ISO 8601. */
  created_at: string;
  /** Epoch seconds. Absent = a message names the file, so it lives as long as its session. */
  expires_at?: number;
  /** The session whose messages name the file. */
  session?: string;
  /** The generation of that session in which a message named the file last. */
  generation?: number;
  /** The message that named the file last. */
  message?: string;
}

/** A media type, as a header can hold it. */
export const MEDIA_TYPE =
  /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}(; ?charset=[a-z0-9_-]{1,40})?$/;

/** Whether a file may have this name. It holds no characters that control a terminal, a header or the direction of text. */
export function isFilename(name: string): boolean {
  return name !== "" && name.length <= 255 && name.isWellFormed() && !/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(name);
}

/** A file's type as browsers may get it: types that they only show. They save everything else, such as HTML or SVG, as bytes. */
export function servedType({ media_type }: Pick<FileRecord, "media_type">): string {
  const [type = ""] = media_type.split(";");
  return HARMLESS.test(type) ? type : "application/octet-stream";
}

const HARMLESS =
  /^(image\/(png|jpeg|gif|webp|avif)|(audio|video)\/(mpeg|mp4|ogg|wav|webm)|application\/pdf|text\/plain)$/;

/**
 * A `content-disposition` that makes browsers save the file under its name (RFC 6266), with the name in UTF-8 (RFC 8187) beside an
 * ASCII form for old clients.
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
