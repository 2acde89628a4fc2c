import { type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { listMessages } from "../../shared/session/list-messages.ts";
import { toMessage } from "../../shared/session/message.ts";
import { notFound, showSession } from "../../shared/session/read-session.ts";
import { ID } from "../../shared/session/schema.ts";
import { toSession } from "../../shared/session/session.ts";
import type { Caller, McpDependencies } from "./server.ts";
import { adviceOn } from "./tools.ts";

/** Sessions that are offered, and messages that one reading of a session shows: the newest. */
const MAX_SESSIONS = 50;
const MAX_MESSAGES = 100;

const JSON_TYPE = "application/json";

/** Registers what a client can attach to a conversation: the user's sessions. */
export function registerResources(server: McpServer, deps: McpDependencies, { user }: Caller): void {
  const list = async () => {
    const now = deps.clock();
    const { records } = await deps.sessions.list(user, { status: "all", order: "desc", limit: MAX_SESSIONS, now });
    return {
      resources: records.map(({ id, title, updated_at }) => ({
        uri: `memocha://sessions/${encodeURIComponent(id)}`,
        name: title ?? id,
        description: `Conversation, last activity ${updated_at}`,
        mimeType: JSON_TYPE,
      })),
    };
  };
  server.registerResource(
    "session",
    new ResourceTemplate("memocha://sessions/{id}", { list }),
    { title: "Session", description: "A conversation with its newest messages, oldest first", mimeType: JSON_TYPE },
    async (uri, { id }) => {
      try {
        const name = decodeURIComponent(String(id));
        if (!ID.test(name)) throw notFound();
        const target = { user, id: name };
        const record = await showSession(deps, target);
        const { messages } = await listMessages(deps, target, { order: "desc", limit: MAX_MESSAGES });
        const shown = {
          session: toSession(record, deps.clock()),
          messages: messages.toReversed().map((message) => toMessage(message, name)),
        };
        return { contents: [{ uri: uri.href, mimeType: JSON_TYPE, text: JSON.stringify(shown) }] };
      } catch (error) {
        throw new Error(adviceOn(error));
      }
    },
  );
}
