import type { Clock } from "../clock.ts";
import type { SessionId } from "../session/session.ts";
import type { SessionFiles } from "../session/store.ts";
import type { FileObjects, FileStore } from "./file-store.ts";
import { removeFile } from "./manage-files.ts";

interface Dependencies {
  files: FileStore;
  /** Opened at the first use, because few requests need it. */
  openObjects: () => Promise<FileObjects>;
  clock: Clock;
}

/** The files of sessions, as the life of a session uses them. */
export function createSessionFiles({ files, openObjects, clock }: Dependencies): SessionFiles {
  return {
    async forget(session, below) {
      for await (const uses of files.uses(session)) {
        const gone = uses.filter(({ generation }) => generation < below);
        const ids = gone.map(({ file }) => file);
        for (const file of await files.find(session.user, ids, clock())) {
          // A later generation, or a later session with the same id, may have the file by now.
          if (!isOf(file, session) || (file.generation ?? 0) >= below) continue;
          await removeFile({ files, objects: await openObjects(), clock }, file);
        }
        await files.clearUses(session, gone);
      }
    },

    async removeContent(user, id) {
      await (await openObjects()).remove({ user_id: user, id });
    },
  };
}

const isOf = (file: { session?: string }, session: SessionId): boolean => file.session === session.id;
