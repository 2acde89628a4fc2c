import { expect, test } from "vitest";
import { createRouter } from "../../../../infra/local/gateway/router.ts";

const router = createRouter(
  ["/", "/v1/sessions", "/v1/sessions/{id}", "/v1/sessions/latest", "/v1/sessions/{id}/messages", "/v1/{proxy+}"].map(
    (resourcePath) => ({ httpMethod: "GET", resourcePath }),
  ),
);
const route = (path: string) => router.match("GET", path)?.method.resourcePath;

test.each([
  ["/", "/"],
  ["/v1/sessions", "/v1/sessions"],
  ["/v1/sessions/", "/v1/sessions"],
  ["/v1/sessions/latest", "/v1/sessions/latest"],
  ["/v1/sessions/1", "/v1/sessions/{id}"],
  ["/v1/sessions/latest/messages", "/v1/sessions/{id}/messages"],
  ["/v1/sessions/1/other", "/v1/{proxy+}"],
  ["/v1/anything/at/all", "/v1/{proxy+}"],
  ["/v1", undefined],
  ["/v2", undefined],
  ["//v1/sessions", undefined],
])("%s goes to %s", (path, expected) => {
  expect(route(path)).toBe(expected);
});

test("an empty segment does not match a parameter", () => {
  expect(route("/v1/sessions//messages")).toBe("/v1/{proxy+}");
});

test("an HTTP method without a route does not match", () => {
  expect(router.match("POST", "/v1/sessions")).toBeUndefined();
});

test("names of JavaScript's object properties are ordinary values", () => {
  expect(router.match("GET", "/v1/sessions/__proto__")?.parameters).toEqual({ id: "__proto__" });
});
