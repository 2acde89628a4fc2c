import type { APIGatewayProxyEvent } from "aws-lambda";

/** Returns a request header. The name is in lower case. */
export function headerOf(event: APIGatewayProxyEvent, name: string): string | undefined {
  return Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** Returns the id by which operators find the request in the logs. */
export function requestIdOf(event: APIGatewayProxyEvent): string {
  return event.requestContext?.requestId ?? "";
}

/** Whether a list of ETags in `If-Match` or `If-None-Match` contains this one (RFC 9110, section 13.1). */
export function matchesEtag(list: string, etag: string): boolean {
  if (list.trim() === "*") return true;
  return list.split(",").some((entry) => entry.trim().replace(/^W\//, "") === etag);
}

/** Whether an Accept header prefers server-sent events to JSON. The order of the types counts, not their weights. */
export function acceptsEvents(accept = ""): boolean {
  const types = accept.split(",").map((entry) => entry.split(";")[0]?.trim().toLowerCase());
  const events = types.indexOf("text/event-stream");
  const json = types.indexOf("application/json");
  return events >= 0 && (json < 0 || events < json);
}

/** Returns the URL of the API as the client sees it, without a slash at its end: with the stage, or at a custom domain. */
export function baseUrlOf(event: APIGatewayProxyEvent): string {
  const { domainName = "localhost", path } = event.requestContext;
  const prefix = path?.endsWith(event.path) ? path.slice(0, -event.path.length) : "";
  return `${headerOf(event, "x-forwarded-proto") ?? "https"}://${domainName}${prefix}`;
}
