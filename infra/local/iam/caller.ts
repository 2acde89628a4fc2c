import type { IncomingMessage } from "node:http";

/** The access key that a request is signed with. Empty when there is none. */
export function accessKeyOf({ headers }: IncomingMessage): string {
  return /Credential=([^/,\s]+)/.exec(headers.authorization ?? "")?.[1] ?? "";
}
