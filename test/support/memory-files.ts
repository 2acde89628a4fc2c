import { AppError } from "../../shared/errors.ts";
import type { FileObjects } from "../../shared/files/file-store.ts";

/** The content of files in memory, by user and id, at first that of `from`. `before` is awaited before each call. */
export function createMemoryFiles(
  before: () => Promise<void> = async () => undefined,
  from: Iterable<readonly [string, Uint8Array]> = [],
) {
  const contents = new Map<string, Uint8Array>(from);
  const keyOf = ({ user_id, id }: { user_id: string; id: string }) => `${user_id}/${id}`;
  const objects: FileObjects = {
    async signUpload(file) {
      return { method: "PUT", url: `memory://upload/${keyOf(file)}`, headers: {} };
    },
    async signDownload(file) {
      return `memory://download/${keyOf(file)}`;
    },
    async has(file) {
      await before();
      return contents.has(keyOf(file));
    },
    async put(file, content) {
      await before();
      contents.set(keyOf(file), content);
    },
    async read(file) {
      await before();
      const content = contents.get(keyOf(file));
      if (!content) throw new AppError("not_found", "the content of the file no longer exists");
      return content;
    },
    async remove(file) {
      await before();
      contents.delete(keyOf(file));
    },
  };
  return { objects, contents };
}
