import {
  type McpServer,
  type ReadResourceResult,
  ResourceNotFoundError,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { AppError } from "../../shared/errors.ts";
import { type FileRecord, URL_SECONDS } from "../../shared/files/file.ts";
import { findFile, listFiles } from "../../shared/files/manage-files.ts";
import { isText } from "../../shared/files/prompt-files.ts";
import { listMessages } from "../../shared/session/list-messages.ts";
import { toMessage } from "../../shared/session/message.ts";
import { notFound, showSession } from "../../shared/session/read-session.ts";
import { ID } from "../../shared/session/schema.ts";
import { toSession } from "../../shared/session/session.ts";
import type { Caller, McpDependencies } from "./mcp-dependencies.ts";
import { adviceOn } from "./tools.ts";

/** Maximum numbers of sessions and files in the list, and of messages in a session. The newest ones are shown. */
const MAX_LISTED = 50;
const MAX_MESSAGES = 100;

/** Maximum bytes of a file in an answer. They are 4 MB in base64, and an answer of Lambda has 6 MB at most. */
const MAX_FILE_BYTES = 3 * 1024 * 1024;

const JSON_TYPE = "application/json";

/** Registers the resources that a client can attach to a conversation: the user's sessions and files. */
export function registerResources(server: McpServer, deps: McpDependencies, { user }: Caller): void {
  /** `read` returns the content for the id in an address. Its errors reach the client as advice. */
  function resource(
    name: string,
    description: string,
    list: () => Promise<{ id: string; name: string; description: string; mimeType: string; size?: number }[]>,
    read: (id: string) => Promise<{ mimeType: string } & ({ text: string } | { blob: string })>,
  ): void {
    const address = `memocha://${name}s/`;
    const listAll = async () => {
      const found = await list();
      return { resources: found.map(({ id, ...rest }) => ({ uri: address + encodeURIComponent(id), ...rest })) };
    };
    server.registerResource(
      name,
      new ResourceTemplate(`${address}{id}`, { list: listAll }),
      { description },
      async ({ href: uri }, { id }): Promise<ReadResourceResult> => {
        try {
          return { contents: [{ uri, ...(await read(decode(String(id)))) }] };
        } catch (error) {
          const advice = adviceOn(error, "Find addresses with resources/list");
          if (error instanceof AppError && error.code === "not_found") throw new ResourceNotFoundError(uri, advice);
          throw new Error(advice);
        }
      },
    );
  }

  resource(
    "session",
    "A conversation with its newest messages, oldest first",
    async () => {
      const query = { status: "all", order: "desc", limit: MAX_LISTED, now: deps.clock() } as const;
      const { records } = await deps.sessions.list(user, query);
      return records.map(({ id, title, updated_at }) => {
        return { id, name: title ?? id, description: `Conversation, last activity ${updated_at}`, mimeType: JSON_TYPE };
      });
    },
    async (id) => {
      if (!ID.test(id)) throw notFound();
      const target = { user, id };
      const record = await showSession(deps, target);
      const { messages } = await listMessages(deps, target, { order: "desc", limit: MAX_MESSAGES });
      const shown = {
        session: toSession(record, deps.clock()),
        messages: messages.toReversed().map((message) => toMessage(message, id)),
      };
      return { mimeType: JSON_TYPE, text: JSON.stringify(shown) };
    },
  );

  resource(
    "file",
    "A file of a conversation",
    async () => {
      const { files } = await listFiles(deps.uploads, user, { limit: MAX_LISTED });
      return files.filter(isReady).map(({ id, filename, media_type, bytes, created_at }) => {
        const description = `File, uploaded ${created_at}`;
        return { id, name: filename, description, mimeType: media_type, size: bytes };
      });
    },
    async (id) => {
      const file = await findFile(deps.uploads, user, id);
      if (!isReady(file) || file.bytes > MAX_FILE_BYTES) {
        const { filename, bytes, status } = file;
        const url = isReady(file) ? await deps.uploads.objects.signDownload(file, URL_SECONDS) : null;
        return { mimeType: JSON_TYPE, text: JSON.stringify({ filename, bytes, status, url }) };
      }
      const content = Buffer.from(await deps.uploads.objects.read(file));
      const mimeType = file.media_type;
      return isText(file)
        ? { mimeType, text: content.toString("utf8").toWellFormed() }
        : { mimeType, blob: content.toString("base64") };
    },
  );
}

/** Decodes an id. Throws `not_found` when its escapes are invalid, because no address has such an id. */
function decode(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch (cause) {
    throw new AppError("not_found", "no such address", { cause });
  }
}

const isReady = ({ status }: FileRecord): boolean => status === "ready";
