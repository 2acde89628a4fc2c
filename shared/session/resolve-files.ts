import type { InputPart, MessagePart } from "./parts.ts";
import type { RequestIdentity, SessionId } from "./session.ts";
import type { SessionFiles } from "./store.ts";

/** A message of a request with its stored parts. */
export type Resolved<T> = Omit<T, "parts"> & { parts?: MessagePart[] };

/**
 * Replaces the file parts in the messages of a request by stored parts. Throws `validation_failed`.
 * @param pathOf returns the path of a message in the request
 */
export async function resolveFiles<T extends { parts?: InputPart[] | undefined }>(
  files: Pick<SessionFiles, "resolve">,
  session: SessionId,
  inputs: readonly T[],
  request: RequestIdentity,
  pathOf: (n: number) => string,
): Promise<Resolved<T>[]> {
  const messages = inputs.map(({ parts = [] }, n) => ({ parts, path: pathOf(n) }));
  const hasFiles = messages.some(({ parts }) => parts.some(({ type }) => type === "file"));
  const resolved = hasFiles ? await files.resolve(session, messages, request) : [];
  return inputs.map(({ parts, ...rest }, n) => ({
    ...rest,
    ...(parts ? { parts: resolved[n] ?? (parts as MessagePart[]) } : {}),
  }));
}
