import { expect, test } from "vitest";
import { readLogLine } from "../../../../infra/local/lambda/log-line.ts";

const ID = "96264dc4-c05e-4c40-8b34-075ce7a9f55a";
const INVOCATION = "8a882d76-0000-4000-8000-000000000000";

test("a structured error is one line with the request's id, the code, the message and the cause; the rest is for --verbose", () => {
  const logged = {
    level: "error",
    request_id: ID,
    user: "2bd806c97f0e",
    route: "POST /v1/sessions/{id}/chat",
    code: "unavailable",
    message: "the model does not answer",
    stack: "AppError: the model does not answer\n    at toAppError (/work/shared/llm/model-error.ts:46:10)",
    cause: { name: "ModelError", message: "the provider cannot be reached" },
  };
  expect(readLogLine("chat-turn", INVOCATION, JSON.stringify(logged))).toEqual({
    text: "chat-turn 96264dc4: unavailable: the model does not answer (ModelError: the provider cannot be reached)",
    more: "user=2bd806c97f0e route=POST /v1/sessions/{id}/chat\n    at toAppError (/work/shared/llm/model-error.ts:46:10)",
  });
});

test.each([
  [{ level: "info", job: "archive", sessions: 3 }, "job=archive sessions=3", undefined],
  [{ level: "error", message: "lost", cause: "ECONNREFUSED" }, "lost (ECONNREFUSED)", undefined],
  [{ level: "error", message: "lost", cause: { code: 7 } }, 'lost ({"code":7})', undefined],
  [{ level: "warn", message: "metrics are lost", kinds: ["request"] }, "metrics are lost", 'kinds=["request"]'],
])("a structured line %j reads %s", (logged, text, more) => {
  const line = readLogLine("jobs-archive", INVOCATION, JSON.stringify(logged));
  expect(line).toEqual({ text: `jobs-archive 8a882d76: ${text}`, ...(more && { more }) });
});

test("other text is shown unchanged, without its stack traces", () => {
  const error = "TypeError: bad\n    at handler (/x.ts:1:1) {\n  [cause]: Error: deep\n      at y (/y.ts:2:2)\n}";
  expect(readLogLine("probe", undefined, error)).toEqual({
    text: "probe: TypeError: bad",
    more: error.slice(error.indexOf("\n") + 1),
  });
  expect(readLogLine("probe", undefined, "two\nlines\n")).toEqual({ text: "probe: two\nlines" });
  expect(readLogLine("probe", INVOCATION, "{not JSON}")).toEqual({ text: "probe 8a882d76: {not JSON}" });
});
