import type { APIGatewayProxyEvent } from "aws-lambda";
import { headerOf } from "./headers.ts";

/** Returns the URL of the API as the client sees it, without a slash at its end: with the stage, or at a domain of its own. */
export function baseUrlOf(event: APIGatewayProxyEvent): string {
  const { domainName = "localhost", path } = event.requestContext;
  const prefix = path?.endsWith(event.path) ? path.slice(0, -event.path.length) : "";
  return `${headerOf(event, "x-forwarded-proto") ?? "https"}://${domainName}${prefix}`;
}
