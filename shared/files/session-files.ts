import { type FieldError, invalidInput } from "../errors.ts";
import type { InputPart, MessagePart } from "../session/parts.ts";
import type { RequestIdentity, SessionId } from "../session/session.ts";
import type { SessionFiles } from "../session/store.ts";
import { parseDataUrl } from "./data-url.ts";
import { type FileRecord, isFilename, MEDIA_TYPE } from "./file.ts";
import type { FileObjects, FileUse } from "./file-store.ts";
import { createFile, type FileDependencies, findFiles, removeFile } from "./manage-files.ts";

interface Dependencies extends Omit<FileDependencies, "objects"> {
  /** Opens the objects at the first use, because few requests need them. */
  openObjects: () => Promise<FileObjects>;
}

/** The file of a part, and the part's path in the request. */
interface Named {
  id: string;
  path: string;
}

/** Creates the operations on files that sessions need. */
export function createSessionFiles(deps: Dependencies): SessionFiles {
  const { files, clock } = deps;
  let opened: Promise<FileObjects> | undefined;
  const open = async (): Promise<FileDependencies> => {
    opened ??= deps.openObjects();
    return { ...deps, objects: await opened };
  };

  /** Finds files that this session may use. Throws `validation_failed`. */
  const usable = async (session: SessionId, named: readonly Named[]): Promise<Map<string, FileRecord>> => {
    const ids = named.map(({ id }) => id);
    const found = new Map((await findFiles(await open(), session.user, ids)).map((file) => [file.id, file]));
    refuse(
      named.flatMap(({ id, path }) => {
        const message = problemOf(found.get(id), session);
        return message ? [{ path, message }] : [];
      }),
    );
    return found;
  };

  return {
    async resolve(session, messages, request) {
      const all = messages.flatMap(({ parts, path }) =>
        parts.flatMap((part, n) => (part.type === "file" ? [{ part, path: `${path}parts.${n}.` }] : [])),
      );
      const given = new Map(
        all.flatMap(({ part, path }) => (part.data === undefined ? [] : [[part, readData(part, path)]])),
      );
      const named = all.flatMap(({ part, path }) =>
        part.file_id === undefined ? [] : [{ id: part.file_id, path: `${path}file_id` }],
      );
      const found = named.length > 0 ? await usable(session, named) : new Map<string, FileRecord>();
      const stored = new Map<InputPart, FileRecord>();
      for (const [n, [part, data]] of [...given].entries())
        stored.set(part, await storeData(await open(), session.user, data, request, n));
      return messages.map(({ parts }) =>
        parts.map((part): MessagePart => {
          if (part.type !== "file") return part;
          const file = stored.get(part) ?? found.get(part.file_id ?? "");
          if (!file) throw new Error("the file was found above");
          return { type: "file", file_id: file.id, media_type: file.media_type, filename: file.filename };
        }),
      );
    },

    async taking(session, generation, messages) {
      const named = messages.flatMap(({ message, path }) =>
        (message.parts ?? []).flatMap((part, n) =>
          part.type === "file" ? [{ id: part.file_id, message: message.id, path: `${path}parts.${n}.file_id` }] : [],
        ),
      );
      if (named.length === 0) return [];
      const found = await usable(session, named);
      return [...Map.groupBy(named, ({ id }) => id)].flatMap(([id, uses]) => {
        const file = found.get(id);
        const ids = [...new Set(uses.map(({ message }) => message))];
        return file ? files.taking(file, session, generation, ids) : [];
      });
    },

    async release(session, messages) {
      const gone: FileUse[] = [];
      for await (const uses of files.uses(session))
        gone.push(...uses.filter(({ message }) => messages.includes(message)));
      await removeUnlessUsed(session, gone, async ({ id }) => {
        for await (const uses of files.uses(session, id)) {
          if (uses.some(({ message }) => !messages.includes(message))) return true;
        }
        return false;
      });
    },

    async forget(session, below) {
      for await (const uses of files.uses(session)) {
        const gone = uses.filter(({ generation }) => generation < below);
        // A later generation, or a later session with the same id, may use the file now.
        await removeUnlessUsed(session, gone, async ({ generation = 0 }) => generation >= below);
      }
    },

    async removeContent(user, id) {
      // The id may belong to a file that was stored again meanwhile.
      if ((await files.find(user, [id], clock())).length > 0) return;
      await (await open()).objects.remove({ user_id: user, id });
    },
  };

  /**
   * Deletes the files of these uses if they have no other use, and then the uses. It reads the files before it calls `isUsed`, because
   * `removeFile` fails if a message has named the file since that read.
   */
  async function removeUnlessUsed(
    { user, id }: SessionId,
    gone: readonly FileUse[],
    isUsed: (file: FileRecord) => Promise<boolean>,
  ): Promise<void> {
    const ids = new Set(gone.map(({ file }) => file));
    const found = new Map((await files.find(user, [...ids], clock())).map((file) => [file.id, file]));
    for (const each of ids) {
      const file = found.get(each);
      // An earlier run may have deleted the record of the file but not its content.
      if (!file) await (await open()).objects.remove({ user_id: user, id: each });
      else if (file.session === id && !(await isUsed(file))) await removeFile(await open(), file);
    }
    await files.clearUses({ user, id }, gone);
  }
}

function problemOf(file: FileRecord | undefined, session: SessionId): string | undefined {
  if (!file) return "is not the id of a file of this user";
  if (file.session !== undefined && file.session !== session.id) return "is the id of a file of another session";
  return file.status === "ready" ? undefined : "is the id of a file whose content is not uploaded yet";
}

interface Data {
  filename: string;
  media_type: string;
  content: Buffer;
}

function readData({ data = "", filename = "file" }: Extract<InputPart, { type: "file" }>, path: string): Data {
  const parsed = parseDataUrl(data);
  if (!parsed || !MEDIA_TYPE.test(parsed.media_type)) {
    refuse([{ path: `${path}data`, message: "must be a data: URL with a media type and content" }]);
  }
  if (!isFilename(filename)) refuse([{ path: `${path}filename`, message: "must have no control characters" }]);
  return { filename, ...(parsed as NonNullable<typeof parsed>) };
}

/** Stores the record before the content, because the content would never be deleted if the function died after it. */
async function storeData(
  deps: FileDependencies,
  user: string,
  { content, ...data }: Data,
  { seed, at }: RequestIdentity,
  n: number,
): Promise<FileRecord> {
  const file = await createFile(deps, user, { ...data, bytes: content.length }, { seed: `${seed} file`, at }, n);
  await deps.objects.put(file, content);
  return { ...file, status: "ready" };
}

/** Throws `validation_failed` if there is a problem. */
function refuse(fields: FieldError[]): void {
  if (fields.length > 0) throw invalidInput(...fields);
}
