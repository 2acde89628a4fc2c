import type { IncomingMessage } from "node:http";
import type { S3Response } from "./request.ts";
import { S3Error } from "./s3-error.ts";

/** A rule of a bucket's CORS configuration, in CloudFormation's format. Texts may have one `*`. */
export interface CorsRule {
  AllowedOrigins: string[];
  AllowedMethods: string[];
  AllowedHeaders?: string[];
  ExposedHeaders?: string[];
  /** Seconds. */
  MaxAge?: number;
}

/** Answers a browser's preflight request. Throws AccessDenied when no rule allows the request that it announces. */
export function answerPreflight(rules: readonly CorsRule[], { headers }: IncomingMessage): S3Response {
  const origin = headers.origin ?? "";
  const method = headers["access-control-request-method"] ?? "";
  const names = (headers["access-control-request-headers"] ?? "").split(",").flatMap((name) => name.trim() || []);
  const rule = findRule(rules, origin, method, names);
  if (!rule) throw new S3Error("AccessDenied", "CORSResponse: This CORS request is not allowed.");
  return {
    status: 200,
    headers: {
      ...allowed(rule, origin),
      "access-control-allow-methods": rule.AllowedMethods.join(", "),
      "access-control-allow-headers": names.join(", ") || undefined,
      "access-control-max-age": rule.MaxAge === undefined ? undefined : String(rule.MaxAge),
    },
  };
}

/** The headers that let a page read an answer; none when no rule allows its origin. */
export function corsHeaders(rules: readonly CorsRule[], { headers, method = "" }: IncomingMessage) {
  const { origin } = headers;
  const rule = origin === undefined ? undefined : findRule(rules, origin, method, []);
  return rule && origin !== undefined
    ? { ...allowed(rule, origin), "access-control-expose-headers": rule.ExposedHeaders?.join(", ") }
    : {};
}

function findRule(rules: readonly CorsRule[], origin: string, method: string, names: readonly string[]) {
  return rules.find(
    ({ AllowedOrigins, AllowedMethods, AllowedHeaders = [] }) =>
      AllowedMethods.includes(method) &&
      AllowedOrigins.some((pattern) => matches(pattern, origin)) &&
      names.every((name) => AllowedHeaders.some((pattern) => matches(pattern.toLowerCase(), name.toLowerCase()))),
  );
}

function allowed({ AllowedOrigins }: CorsRule, origin: string): Record<string, string> {
  return {
    "access-control-allow-origin": AllowedOrigins.includes("*") ? "*" : origin,
    vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
  };
}

function matches(pattern: string, text: string): boolean {
  const [before = "", after] = pattern.split("*");
  if (after === undefined) return pattern === text;
  return text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after);
}
