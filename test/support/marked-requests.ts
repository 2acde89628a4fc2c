import type { OperationId } from "../../shared/http/operations.ts";

/** A text that stands for a field of a user and nowhere else. Also valid as an id, a name of a tool and a media type. */
export type Mark = (field: string) => string;

/** What the requests refer to. */
export interface Named {
  /** Sessions that exist. */
  session: string;
  /** A session whose last message calls tools, with the ids of the calls. */
  calling: string;
  calls: readonly string[];
  /** A file that messages of `session` may name. */
  file?: string;
}

/** A JSON value with a mark wherever it can hold text. */
function json(mark: Mark, field: string): Record<string, unknown> {
  return {
    [mark(`${field}: key`)]: mark(`${field}: value`),
    list: [mark(`${field}: list`)],
    inner: { [mark(`${field}: inner key`)]: mark(`${field}: inner value`) },
  };
}

const anyJson = (mark: Mark, field: string): unknown[] => [
  mark(`${field}: text`),
  [mark(`${field}: first`)],
  json(mark, field),
];

const dataUrl = (mark: string, type = "text/plain"): string => `data:${type},${mark}`;

function calls(mark: Mark, field: string) {
  return anyJson(mark, `${field}: input of a tool`).map((input, n) => ({
    type: "tool_call",
    tool_call_id: mark(`${field}: id of tool call ${n}`),
    name: mark(`${field}: name of a tool`),
    input,
  }));
}

const results = (mark: Mark, field: string, ids: readonly string[]) =>
  anyJson(mark, `${field}: output of a tool`).map((output, n) => ({
    type: "tool_result",
    tool_call_id: ids[n] ?? mark(`${field}: id of tool result ${n}`),
    name: mark(`${field}: name of a tool with a result`),
    output,
  }));

const questionParts = (mark: Mark, field: string, file?: string) => [
  { type: "text", text: `I note ${mark(`${field}: text part`)} here.` },
  ...(file === undefined ? [] : [{ type: "file", file_id: file }]),
  {
    type: "file",
    media_type: mark(`${field}: media type`),
    data: dataUrl(mark(`${field}: content of an inline file`)),
    filename: `${mark(`${field}: name of an inline file`)}.txt`,
  },
  ...anyJson(mark, `${field}: data part`).map((data, n) => ({
    type: "data",
    name: mark(`${field}: name of data ${n}`),
    data,
  })),
];

/** Every kind of part. */
const allParts = (mark: Mark, field: string, file?: string) => [
  ...questionParts(mark, field, file),
  { type: "reasoning", text: `I think of ${mark(`${field}: reasoning`)}.` },
  { type: "source", url: `https://example.com/${mark(`${field}: url`)}`, title: mark(`${field}: title of a source`) },
  ...calls(mark, field),
  ...results(mark, field, []),
];

const message = (mark: Mark, field: string) => ({
  id: mark(`${field}: id`),
  role: "user",
  name: mark(`${field}: name`),
  content: `I keep ${mark(`${field}: content`)} in mind.`,
  metadata: json(mark, `${field}: metadata`),
});

/** Messages that fill every field: the first, and one that follows it. */
const messages = (mark: Mark, field: string, file?: string) => [
  message(mark, `${field}: question`),
  {
    id: mark(`${field}: id of an answer`),
    parent_id: mark(`${field}: question: id`),
    role: "assistant",
    model: mark(`${field}: model`),
    parts: allParts(mark, field, file),
  },
];

/** Options of a turn. Models are those of the deployment. */
function turnOptions(mark: Mark, field: string) {
  const tool = {
    name: mark(`${field}: name of an offered tool`),
    description: mark(`${field}: description of a tool`),
  };
  return {
    tools: [{ type: "function", function: tool, extra: mark(`${field}: beside a tool`) }],
    tool_choice: {
      type: "function",
      function: { ...tool },
      extra: mark(`${field}: beside the choice of a tool`),
    },
  };
}

/**
 * The bodies of requests that put a mark in every field that takes text of a user. A test compares them with the OpenAPI document, so that
 * no field is forgotten.
 */
export function markedRequests(mark: Mark, { session, calling, calls: ids, file }: Named) {
  return {
    createSession: [
      {
        id: session,
        title: `About ${mark("session: title")}`,
        metadata: json(mark, "session: metadata"),
      },
    ],
    patchSession: [
      { title: `About ${mark("patch: title")}`, metadata: json(mark, "patch: metadata") },
      { head_id: mark("append: id of an answer") },
    ],
    appendMessages: [...messages(mark, "append", file), { messages: messages(mark, "batch", file) }],
    chat: [
      {
        name: mark("chat: name"),
        content: `What is ${mark("chat: content")}?`,
        metadata: json(mark, "chat: metadata"),
        parent_id: mark("append: id of an answer"),
        ...turnOptions(mark, "chat"),
      },
      { parts: questionParts(mark, "chat", file) },
      { parts: results(mark, "chat", ids) },
    ],
    sendUiChat: [
      {
        id: mark("ui: session"),
        messageId: mark("ui: id"),
        extra: mark("ui: another field"),
        ...turnOptions(mark, "ui"),
        messages: [
          {
            id: mark("ui: id"),
            role: "user",
            metadata: json(mark, "ui: metadata"),
            extra: mark("ui: another field of a message"),
            parts: [
              { type: "text", text: `Tell me of ${mark("ui: text")}.`, extra: mark("ui: another field of a part") },
              {
                type: "file",
                url: dataUrl(mark("ui: content of a file")),
                mediaType: "text/plain",
                filename: mark("ui: name of a file"),
              },
              { type: `data-${mark("ui: name of data")}`, data: json(mark, "ui: data") },
            ],
          },
        ],
      },
    ],
    createCompletion: [
      {
        ...turnOptions(mark, "completion"),
        extra: mark("completion: another field"),
        stream: true,
        stream_options: { extra: mark("completion: another option of the stream") },
        metadata: { session_id: mark("completion: session"), extra: mark("completion: other metadata") },
        messages: [
          { role: "system", content: `You know ${mark("completion: instructions")}.` },
          { role: "user", name: mark("completion: name"), content: `I had ${mark("completion: first")}.` },
          {
            role: "assistant",
            extra: mark("completion: another field of a message"),
            content: [
              { type: "refusal", refusal: `Not ${mark("completion: refusal")}.`, extra: mark("completion: part") },
            ],
            tool_calls: [
              {
                id: mark("completion: id of a tool call"),
                type: "function",
                extra: mark("completion: another field of a call"),
                function: {
                  name: mark("completion: name of a tool"),
                  arguments: JSON.stringify({ q: mark("completion: arguments") }),
                  extra: mark("completion: another field of a function"),
                },
              },
            ],
          },
          {
            role: "tool",
            tool_call_id: mark("completion: id of a tool call"),
            content: `Found ${mark("completion: result of a tool")}.`,
          },
          {
            role: "user",
            content: [
              { type: "text", text: `And ${mark("completion: text")}?` },
              {
                type: "image_url",
                image_url: {
                  url: dataUrl(mark("completion: image"), "image/png"),
                  extra: mark("completion: at an image"),
                },
              },
              {
                type: "file",
                file: {
                  file_data: dataUrl(mark("completion: file")),
                  filename: mark("completion: name of a file"),
                  extra: mark("completion: at a file"),
                },
              },
            ],
          },
        ],
      },
    ],
    createEvent: [
      {
        type: "feedback",
        value: 1,
        session_id: session,
        message_id: mark("append: question: id"),
        metadata: json(mark, "event: metadata"),
      },
    ],
    searchMemories: [{ query: `Where is ${mark("search: query")}?`, session_id: session }],
    createFile: [{ filename: `${mark("file: name")}.txt`, media_type: `text/${mark("file: media type")}`, bytes: 0 }],
    callMcp: [
      tool("search_memories", { query: mark("mcp: query"), session_id: session }),
      tool("remember", { content: `I like ${mark("mcp: remembered")}.`, session_id: mark("mcp: session of notes") }),
      tool("append_messages", {
        session_id: mark("mcp: session"),
        title: mark("mcp: title"),
        messages: messages(mark, "mcp"),
      }),
    ],
    calling: [
      { messages: [message(mark, "calling"), { role: "assistant", parts: calls(mark, "calling") }] },
      { id: calling },
    ],
  } satisfies Partial<Record<OperationId | "calling", object[]>>;
}

function tool(name: string, args: object) {
  return { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } };
}
