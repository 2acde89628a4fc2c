import { expect, it } from "vitest";
import { parseDataUrl } from "../../../shared/files/data-url.ts";

it.each([
  ["data:image/png;base64,aGk=", "image/png", "hi"],
  ["data:IMAGE/PNG;name=x.png;base64,aGk=", "image/png", "hi"],
  ["data:text/plain;charset=utf-8,a%20b", "text/plain", "a b"],
  ["data:,x", "text/plain", "x"],
])("reads %s", (url, media_type, text) => {
  const parsed = parseDataUrl(url);
  expect([parsed?.media_type, parsed?.content.toString()]).toEqual([media_type, text]);
});

it.each([["https://example.com"], ["data:image/png;base64"], ["data:image/png;base64,a?b"], ["data:,%zz"], ["data:,"]])(
  "refuses %s",
  (url) => expect(parseDataUrl(url)).toBe(null),
);
