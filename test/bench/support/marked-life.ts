import { markedRequests } from "../../support/marked-requests.ts";
import type { Call, CallOptions } from "./caller.ts";
import { markOf } from "./find-marks.ts";

/** The answer to a question with this text breaks off. */
export const BROKEN = "Break off here.";

/** Sessions per user that stay active, and those that expire. */
export const ACTIVE_SESSIONS = 9;

/**
 * Gives a user sessions in every state with a mark in every field that takes text. Sessions that expire do so after `ttl` seconds.
 */
export async function liveMarked(user: number, call: Call, ttl: number): Promise<void> {
  const mark = (field: string) => markOf(user, field);
  const session = (name: string) => mark(`session ${name}`);
  const calls = ["text", "list", "object"].map((_, n) => mark(`calling: id of tool call ${n}`));
  const named = { session: session("active"), calling: session("calling"), calls };
  const content = `My file says ${mark("file: content")}.`;
  const {
    createFile: [input],
    appendMessages: [, unfiled],
  } = markedRequests(mark, named);
  const { body } = await call("POST", "/v1/files", { ...input, bytes: content.length });
  const put = await fetch(body.upload.url, { method: "PUT", headers: body.upload.headers, body: content });
  if (!put.ok) throw new Error(`the upload: ${put.status}`);
  const requests = markedRequests(mark, { ...named, file: body.id });
  const [first, second, batch] = requests.appendMessages;
  const [create] = requests.createSession;
  const begin = (name: string, more: object = {}) =>
    call("POST", "/v1/sessions", { ...create, ...more, id: session(name) });
  const say = (name: string, message: object | undefined) =>
    call("POST", `/v1/sessions/${session(name)}/messages`, message);
  const ask = (name: string, question: object | undefined, more?: CallOptions) =>
    call("POST", `/v1/sessions/${session(name)}/chat`, question, more);

  for (const name of ["archived", "restored"]) {
    await begin(name, { ttl_seconds: ttl });
    await say(name, first);
    await say(name, unfiled);
  }
  await begin("active");
  for (const message of [first, second, batch]) await say("active", message);
  const [question, parts, results] = requests.chat;
  await ask("active", { ...question, parent_id: mark("batch: id of an answer") });
  await ask("active", parts);
  for (const change of requests.patchSession) await call("PATCH", `/v1/sessions/${session("active")}`, change);
  await begin("branched");
  await say("branched", first);
  await say("branched", { ...unfiled, parent_id: null, id: mark("branched: id") });
  await ask("branched", { content: `Which branch is ${mark("branched: question")} on?`, parent_id: null });
  await begin("incognito", { incognito: true });
  await say("incognito", { ...first, content: `Between us: ${mark("incognito: content")}.` });
  await begin("calling");
  await say("calling", requests.calling[0]);
  await ask("calling", results);
  await begin("failed");
  await ask("failed", { content: `${BROKEN} ${mark("failed: question")}` }, { status: 502 });
  await call("POST", "/v1/chat", requests.sendUiChat[0]);
  await call("POST", "/v1/chat/completions", requests.createCompletion[0], {
    headers: { "x-session-id": mark("completion: session") },
  });
  await call("POST", "/v1/events", requests.createEvent[0], { headers: { "idempotency-key": mark("event: key") } });
  await call("POST", "/v1/memories/search", requests.searchMemories[0]);
  for (const use of requests.callMcp) {
    await call("POST", "/mcp", use, { headers: { accept: "application/json, text/event-stream" } });
  }
  // Deleted before anything is searched.
  await begin("deleted", { title: null, metadata: {} });
  await say("deleted", { role: "user", content: `Forget ${mark("deleted: content")}.` });
  await call("DELETE", `/v1/sessions/${session("deleted")}`);
}
