import { type Clock, toInstant, toSeconds } from "../clock.ts";
import { AppError, invalidInput } from "../errors.ts";
import { timeOf, timeOrderedId } from "../session/message.ts";
import { MAX_AHEAD } from "../session/schema.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { SessionStore } from "../session/store.ts";
import { type FileRecord, unusedSeconds } from "./file.ts";
import type { FileObjects, FileStore } from "./file-store.ts";

export interface FileDependencies {
  files: FileStore;
  objects: FileObjects;
  sessions: Pick<SessionStore, "findAnchor">;
  clock: Clock;
}

type FileInput = Pick<FileRecord, "filename" | "media_type" | "bytes"> & {
  id?: string | undefined;
  sha256?: string | undefined;
};

/**
 * Stores the record of a file before its content. The same request always returns the same file, and so does the same id.
 * Throws `conflict` when another file has the id.
 */
export async function createFile(
  { files }: Pick<FileDependencies, "files">,
  user_id: string,
  { id, filename, media_type, bytes, sha256 }: FileInput,
  request: RequestIdentity,
  n = 0,
): Promise<FileRecord> {
  const created = id === undefined ? request.at : timeOf(id);
  if (created > request.at + MAX_AHEAD) {
    throw invalidInput({ path: "id", message: "contains a time that is more than 24 hours in the future" });
  }
  const file: FileRecord = {
    user_id,
    id: id ?? timeOrderedId(request, n),
    filename,
    media_type,
    bytes,
    ...(sha256 === undefined ? {} : { sha256 }),
    status: "uploading",
    created_at: toInstant(created),
    expires_at: toSeconds(request.at) + unusedSeconds(),
  };
  const isNew = await files.add(file, id === undefined ? undefined : request.at);
  if (isNew || id === undefined) return file;
  const [stored] = await files.find(user_id, [id], request.at);
  const isSame = stored?.filename === filename && stored.media_type === media_type && stored.sha256 === sha256;
  if (!isSame || stored.bytes !== bytes)
    throw new AppError("conflict", `another file with the id ${id} exists: choose another id`);
  return stored;
}

/** Finds one file. Throws `not_found`. */
export async function findFile(deps: FileDependencies, user: string, id: string): Promise<FileRecord> {
  const [file] = await findFiles(deps, user, [id]);
  if (!file) throw notFound();
  return file;
}

/** Finds files by their ids, in any order. Omits files that do not exist. */
export async function findFiles(deps: FileDependencies, user: string, ids: readonly string[]): Promise<FileRecord[]> {
  return currentFiles(deps, user, await deps.files.find(user, ids, deps.clock()));
}

/** Lists a page of a user's files, the newest first. `last` is the last id of the page; absent = no page follows. */
export async function listFiles(
  deps: FileDependencies,
  user: string,
  query: { limit: number; after?: string | undefined },
): Promise<{ files: FileRecord[]; last?: string }> {
  const { files, more } = await deps.files.list(user, { ...query, now: deps.clock() });
  const last = files.at(-1);
  return { files: await currentFiles(deps, user, files), ...(more && last ? { last: last.id } : {}) };
}

/** Deletes a file, also if messages name it: they keep only its name. Throws `not_found`. */
export async function deleteFile(deps: FileDependencies, user: string, id: string): Promise<void> {
  for (;;) {
    const [file] = await withoutDeletedSessions(deps, user, await deps.files.find(user, [id], deps.clock()));
    if (!file) throw notFound();
    // If a message has named the file meanwhile, read it again.
    if (await removeFile(deps, file)) return;
  }
}

/**
 * Deletes the record of a file and then its content. False when a message has named the file since it was read. If the function dies
 * between the two, or an upload arrives later, the archiver deletes the content when the item expires: see `functions/jobs/archive.ts`.
 */
export async function removeFile(
  { files, objects, clock }: Pick<FileDependencies, "files" | "objects" | "clock">,
  file: FileRecord,
): Promise<boolean> {
  if (!(await files.remove(file, clock()))) return false;
  await objects.remove(file);
  return true;
}

/** Omits the files of deleted and reset sessions, and updates the status of files whose upload has arrived. */
async function currentFiles(deps: FileDependencies, user: string, files: readonly FileRecord[]): Promise<FileRecord[]> {
  return Promise.all((await withoutDeletedSessions(deps, user, files)).map((file) => withStatus(deps, file)));
}

/** Omits the files of deleted and reset sessions. */
async function withoutDeletedSessions(
  deps: Pick<FileDependencies, "sessions">,
  user: string,
  files: readonly FileRecord[],
): Promise<FileRecord[]> {
  const sessions = [...new Set(files.flatMap(({ session }) => session ?? []))];
  const anchors = await Promise.all(sessions.map((id) => deps.sessions.findAnchor({ user, id })));
  return files.filter(({ session, generation = 0 }) => {
    const anchor = session === undefined ? undefined : anchors[sessions.indexOf(session)];
    return (
      anchor === undefined ||
      (anchor !== null && anchor.state !== "deleted" && generation >= (anchor.reset_generation ?? 0))
    );
  });
}

async function withStatus({ files, objects }: FileDependencies, file: FileRecord): Promise<FileRecord> {
  if (file.status === "ready" || !(await objects.has(file))) return file;
  await files.markReady(file);
  return { ...file, status: "ready" };
}

const notFound = (): AppError => new AppError("not_found", "no such file");
