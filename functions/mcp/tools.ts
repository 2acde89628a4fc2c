import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { AppError } from "../../shared/errors.ts";
import { decodeCursor, encodeCursor } from "../../shared/http/cursor.ts";
import { checkRange, INSTANT } from "../../shared/http/range.ts";
import { log } from "../../shared/log.ts";
import { appendMessages } from "../../shared/session/append-messages.ts";
import { createSession } from "../../shared/session/create-session.ts";
import { listMessages } from "../../shared/session/list-messages.ts";
import { POSITION, positionOf, toMessage } from "../../shared/session/message.ts";
import {
  ID,
  idSchema,
  instantSchema,
  type MessageInput,
  messageInputSchema,
  refuseFuture,
} from "../../shared/session/schema.ts";
import { toSession } from "../../shared/session/session.ts";
import type { Caller, McpDependencies } from "./mcp-dependencies.ts";

/** The session that `remember` writes to unless the model names another. */
const NOTES = "notes";

/** Maximum messages in one call of `append_messages`. */
const MAX_MESSAGES = 20;

const page = {
  limit: z.int().min(1).max(100).default(20),
  cursor: z.string().max(2048).optional().describe("next_cursor of the previous page"),
};
const session = idSchema.describe("Id of a session from list_sessions");

const readsOnly = { readOnlyHint: true, openWorldHint: false };
const adds = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
const destroys = { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false };

/** Registers the tools with which a model can search, add and delete memories, and list, read and extend sessions. */
export function registerTools(server: McpServer, deps: McpDependencies, caller: Caller): void {
  const { user, person, identity, observe, audit } = caller;

  function tool<S extends z.ZodObject>(
    name: string,
    { input, ...about }: { title: string; description: string; annotations: object; input: S },
    run: (args: z.infer<S>) => Promise<object>,
  ): void {
    server.registerTool(name, { ...about, inputSchema: input as z.ZodObject }, async (args) => {
      try {
        const result = await run(args as z.infer<S>);
        return {
          content: [{ type: "text", text: JSON.stringify(result) }],
          structuredContent: result as Record<string, unknown>,
        };
      } catch (error) {
        return { content: [{ type: "text", text: adviceOn(error) }], isError: true };
      }
    });
  }

  tool(
    "search_memories",
    {
      title: "Search memories",
      description:
        "Finds messages of the user and answers to the user about a topic, in all earlier conversations, the best first. Call it before you say that you do not know something about the user.",
      annotations: readsOnly,
      input: z.strictObject({
        query: z.string().trim().min(1).max(2000).describe("The topic to look for, in plain words"),
        limit: z.int().min(1).max(50).default(10),
        session_id: session.optional(),
        from: instantSchema.optional().describe("Only messages at or after this time (ISO 8601)"),
        to: instantSchema.optional().describe("Only messages before this time (ISO 8601)"),
      }),
    },
    async ({ query, ...rest }) => {
      checkRange(rest);
      if (!(await person()).memory) throw new AppError("forbidden", "The user has switched memory off: do not search");
      return { memories: await deps.recall(user, { text: query, ...rest }) };
    },
  );

  tool(
    "remember",
    {
      title: "Remember",
      description: "Stores one fact or note about the user. search_memories finds it a few seconds later.",
      annotations: adds,
      input: z.strictObject({
        content: messageInputSchema.shape.content
          .unwrap()
          .refine((text) => text.trim() !== "", "must not be empty")
          .describe("The fact, as a complete sentence that is clear without context"),
        session_id: session.default(NOTES).describe("The session that keeps the note"),
      }),
    },
    async ({ content, session_id }) => {
      const [message] = await append(session_id, "Notes", [{ role: "user", content }]);
      return { session_id, message_id: message?.id };
    },
  );

  tool(
    "forget",
    {
      title: "Forget a memory",
      description: "Deletes one memory for good. The message that it came from stays. Ask the user before you call it.",
      annotations: destroys,
      input: z.strictObject({ memory_id: idSchema.describe("id of a memory that search_memories found") }),
    },
    async ({ memory_id }) => {
      await audit("memory.delete");
      await deps.forget(user, memory_id);
      return { forgotten: memory_id };
    },
  );

  tool(
    "list_sessions",
    {
      title: "List sessions",
      description: "Lists the user's conversations, the one with the latest activity first.",
      annotations: readsOnly,
      input: z.strictObject({ ...page, status: z.enum(["active", "archived", "all"]).default("all") }),
    },
    async ({ limit, cursor, status }) => {
      const scope = ["mcp", "sessions", user, status];
      const [updated_at = "", id = ""] = decodeCursor(scope, cursor, [INSTANT, ID]);
      const now = deps.clock();
      const after = cursor === undefined ? {} : { after: { updated_at, id } };
      const { records, more } = await deps.sessions.list(user, { status, order: "desc", limit, now, ...after });
      const last = records.at(-1);
      return {
        sessions: records.map((record) => toSession(record, now)),
        next_cursor: more && last ? encodeCursor(scope, [last.updated_at, last.id]) : null,
      };
    },
  );

  tool(
    "read_session",
    {
      title: "Read a session",
      description: "Reads the messages of one conversation, in order of time.",
      annotations: readsOnly,
      input: z.strictObject({ session_id: session, ...page, order: z.enum(["asc", "desc"]).default("asc") }),
    },
    async ({ session_id, limit, cursor, order }) => {
      const scope = ["mcp", "messages", user, session_id, order];
      const [after] = decodeCursor(scope, cursor, [POSITION]);
      const { messages, more } = await listMessages(deps, { user, id: session_id }, { limit, order, after });
      const last = messages.at(-1);
      return {
        messages: messages.map((message) => toMessage(message, session_id)),
        next_cursor: more && last ? encodeCursor(scope, [positionOf(last)]) : null,
      };
    },
  );

  tool(
    "append_messages",
    {
      title: "Append messages",
      description:
        "Stores messages at the end of a conversation, which is created if it is new. A message whose id exists is not stored again, so give ids when you may repeat the call.",
      annotations: adds,
      input: z.strictObject({
        session_id: session,
        title: z.string().min(1).max(500).optional().describe("Title of the session, if it is new"),
        messages: z.array(messageInputSchema).min(1).max(MAX_MESSAGES),
      }),
    },
    async ({ session_id, title, messages }) => {
      refuseFuture({ messages }, deps.clock());
      const stored = await append(session_id, title, messages);
      return { messages: stored.map((message) => toMessage(message, session_id)) };
    },
  );

  /** Appends to a session. Creates the session if it does not exist. */
  async function append(id: string, title: string | undefined, messages: MessageInput[]) {
    const target = { user, id };
    try {
      return await appendMessages(deps, target, messages, identity, observe);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    }
    try {
      await createSession(deps, user, { id, title }, identity, deps.defaultTtlSeconds, observe);
    } catch (error) {
      // Another call has created it at the same time.
      if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    }
    return appendMessages(deps, target, messages, identity, observe);
  }
}

/** Converts an error to advice for the model. `findIds` says where the model finds existing ids. */
export function adviceOn(error: unknown, findIds = "Find ids with list_sessions or search_memories"): string {
  if (!(error instanceof AppError) || error.status >= 500) {
    log("error", { message: "a tool failed", cause: String(error) });
    return "Memocha could not do this now. Try again in a few seconds.";
  }
  if (error.code === "not_found") return `${error.message}. ${findIds}.`;
  if (error.code === "invalid_cursor") return `${error.message}. Call the tool again without a cursor.`;
  return `${error.message}.`;
}
