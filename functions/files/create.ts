import { toInstant } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { type FileRecord, URL_SECONDS, unusedSeconds } from "../../shared/files/file.ts";
import { createFile, type FileDependencies } from "../../shared/files/manage-files.ts";
import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { fileOperations } from "../../shared/http/operations/file-operations.ts";
import { lazyHandler, openFiles, openIdempotentHttp, openTable } from "../compose.ts";

type Dependencies = HttpDependencies & Pick<FileDependencies, "files" | "objects">;

/** POST /v1/files */
export function createCreateFile(deps: Dependencies) {
  return createHttpHandler(
    fileOperations.createFile,
    deps,
    async ({ user, body, identity }) => {
      const file = await createFile(deps, user, body, identity);
      return { status: 201, body: await answerOf(deps, file), keep: () => file.id };
    },
    async ({ user }, id: string) => {
      const [file] = await deps.files.find(user, [id], deps.clock());
      if (!file) throw new AppError("not_found", "the file was deleted since the first request");
      return answerOf(deps, file);
    },
  );
}

async function answerOf({ objects, clock }: Dependencies, file: FileRecord) {
  // The time in the id can be older than the upload, because a file can be stored again under its earlier id.
  const begun = Math.max(Date.parse(file.created_at), ((file.expires_at ?? 0) - unusedSeconds()) * 1000);
  const expires = begun + URL_SECONDS * 1000;
  // A repeat returns the first answer, so its URL expires at the same time as the first URL.
  const seconds = Math.max(1, Math.floor((expires - clock()) / 1000));
  return { id: file.id, upload: { ...(await objects.signUpload(file, seconds)), expires_at: toInstant(expires) } };
}

export const handler = lazyHandler((config) =>
  createCreateFile({ ...openIdempotentHttp(config), ...openFiles(config, openTable(config)) }),
);
