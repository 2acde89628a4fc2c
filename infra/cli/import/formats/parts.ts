/**
 * The text of a message that is made of parts (strings and objects, as ChatGPT and OpenAI write them). What is no text
 * is named in brackets, so that a reader knows that something was there: "[image]".
 */
export function joinParts(parts: readonly unknown[]): string {
  return parts
    .map(describePart)
    .filter((text) => text !== "")
    .join("\n");
}

function describePart(part: unknown): string {
  if (typeof part === "string") return part;
  if (typeof part !== "object" || part === null) return "";
  const { content_type: contentType, type = contentType, text } = part as Record<string, unknown>;
  if (typeof text === "string") return text;
  const kind = typeof type === "string" ? type : "attachment";
  // Names such as image_asset_pointer, image_url, real_time_user_audio_video_asset_pointer, input_audio, input_file.
  const known = ["image", "video", "audio", "file"].find((word) => kind.includes(word));
  return `[${known ?? kind.replaceAll("_", " ")}]`;
}
