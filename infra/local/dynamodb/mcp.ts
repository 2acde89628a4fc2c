import * as z from "zod";

/** The part of a JSON-RPC answer that is read here. */
const answerSchema = z.object({
  error: z.object({ message: z.string() }).optional(),
  result: z
    .object({ isError: z.boolean().optional(), content: z.array(z.object({ text: z.string() })).optional() })
    .optional(),
});

export interface McpClient {
  /** Calls a tool and resolves with the text of its answer. Throws an Error when the tool or the server fails. */
  callTool(name: string): Promise<string>;
}

/** A client of the engine's control port: the Model Context Protocol, as JSON-RPC over streamable HTTP. */
export function createMcpClient(url: string, token: string): McpClient {
  let session: Promise<Record<string, string>> | undefined;
  let id = 0;

  const post = async (message: object, headers: Record<string, string> = {}) => {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
    const body = await response.text();
    if (!response.ok) throw new Error(`The embedded DynamoDB's control port answered ${response.status}: ${body}`);
    return { body, sessionId: response.headers.get("mcp-session-id") };
  };

  const initialize = async () => {
    const protocolVersion = "2025-06-18";
    const clientInfo = { name: "memocha", version: "1" };
    const params = { protocolVersion, capabilities: {}, clientInfo };
    const { body, sessionId } = await post({ id: ++id, method: "initialize", params });
    readAnswer(body);
    const headers = { "mcp-protocol-version": protocolVersion, ...(sessionId && { "mcp-session-id": sessionId }) };
    await post({ method: "notifications/initialized" }, headers);
    return headers;
  };

  return {
    async callTool(name) {
      session ??= initialize();
      try {
        const { body } = await post({ id: ++id, method: "tools/call", params: { name, arguments: {} } }, await session);
        return readAnswer(body);
      } catch (error) {
        session = undefined;
        throw error;
      }
    },
  };
}

/** Answers come as plain JSON or as one server-sent event. */
function readAnswer(body: string): string {
  const json = body.startsWith("{") ? body : (/^data: ?(\{.*)$/m.exec(body)?.[1] ?? "");
  const { error, result } = answerSchema.parse(JSON.parse(json));
  const text = result?.content?.map((part) => part.text).join("\n") ?? "";
  if (error || result?.isError)
    throw new Error(`The embedded DynamoDB's control port failed: ${error?.message ?? text}`);
  return text;
}
