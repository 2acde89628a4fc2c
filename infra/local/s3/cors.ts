import type { IncomingMessage } from "node:http";
import type { S3Response } from "./request.ts";
import { S3Error } from "./s3-error.ts";

/** A rule of a bucket's CORS configuration, in CloudFormation's format. The origin `*` stands for all. */
export interface CorsRule {
  AllowedOrigins: string[];
  AllowedMethods: string[];
  /** Lower case. */
  AllowedHeaders?: string[];
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
  const rule = origin && findRule(rules, origin, method, []);
  return rule ? allowed(rule, origin) : {};
}

function findRule(rules: readonly CorsRule[], origin: string, method: string, names: readonly string[]) {
  return rules.find(
    ({ AllowedOrigins, AllowedMethods, AllowedHeaders = [] }) =>
      AllowedMethods.includes(method) &&
      (AllowedOrigins.includes("*") || AllowedOrigins.includes(origin)) &&
      names.every((name) => AllowedHeaders.includes(name.toLowerCase())),
  );
}

function allowed({ AllowedOrigins }: CorsRule, origin: string): Record<string, string> {
  return {
    "access-control-allow-origin": AllowedOrigins.includes("*") ? "*" : origin,
    vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
  };
}
