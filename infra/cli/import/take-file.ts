import { isFilename, MAX_FILE_BYTES, MEDIA_TYPE } from "../../../shared/files/file.ts";
import { timeOrderedId } from "../../../shared/session/message.ts";
import { type InputPart, MAX_MESSAGE_FILES } from "../../../shared/session/parts.ts";
import type { SourceFile, SourcePart } from "./conversation.ts";

/**
 * Creates a function that replaces the files of one message by their ids. The ids are the same in every run. A file that the API does not
 * accept becomes a text: its name in brackets.
 * @param taken the function adds the files here, by their ids.
 * @param message `at`: its time in epoch milliseconds.
 */
export function createFileTaker(
  taken: Map<string, SourceFile>,
  message: { seed: string; at: number },
  leaveOut: (what: string) => void,
): (part: SourcePart, n: number) => InputPart {
  let count = 0;
  return (part, n) => {
    if (part.type !== "file") return part;
    const { file } = part;
    const problem = problemOf(file.bytes, count);
    if (problem) {
      leaveOut(`files ${problem}`);
      return filePlaceholder(file.filename);
    }
    count += 1;
    const id = file.id ?? timeOrderedId(message, n);
    const mediaType = file.mediaType.toLowerCase();
    taken.set(id, {
      ...file,
      filename: safeName(file.filename),
      mediaType: MEDIA_TYPE.test(mediaType) ? mediaType : "application/octet-stream",
    });
    return { type: "file", file_id: id };
  };
}

/** The text part that replaces a file which is not imported. */
export const filePlaceholder = (name: string) => ({ type: "text", text: `[file: ${name}]` }) as const;

function problemOf(bytes: number, before: number): string | undefined {
  if (bytes === 0) return "that are empty";
  if (bytes > MAX_FILE_BYTES) return `of more than ${MAX_FILE_BYTES / 1024 / 1024} MB`;
  return before === MAX_MESSAGE_FILES ? `beyond ${MAX_MESSAGE_FILES} in one message` : undefined;
}

function safeName(name: string): string {
  const base = name.toWellFormed().replaceAll(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, "_");
  const cut = [...base].slice(0, 200).join("").slice(0, 255).toWellFormed();
  return isFilename(cut) ? cut : "file";
}
