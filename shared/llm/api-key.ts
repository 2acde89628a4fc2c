import type { Clock } from "../clock.ts";
import { ModelError } from "./model-error.ts";

/** Milliseconds for which a key is cached: after a rotation, the old key is used for at most this long. */
const MAX_AGE = 300_000;

/** Milliseconds until the next attempt to read a secret that could not be read. */
const RETRY = 30_000;

/** Reads the text of a secret. */
export type ReadSecret = (id: string) => Promise<string>;

/**
 * The API key of a provider, from the environment or from a secret. Either holds the key itself or, for several providers, a JSON
 * object of hosts and keys. The secret is read once in five minutes; when that fails, the last known value is used. Throws a
 * `ModelError` when there is none.
 */
export function createApiKeys(
  { key, secret }: { key: string; secret: string },
  read: ReadSecret,
  clock: Clock,
): (provider: string) => Promise<string> {
  let known: string | undefined;
  let reading: { text: Promise<string>; until: number } | undefined;

  function load(): Promise<string> {
    if (key !== "" || secret === "") return Promise.resolve(key);
    if (!reading || clock() >= reading.until) reading = { text: renew(), until: clock() + MAX_AGE };
    return reading.text;
  }

  async function renew(): Promise<string> {
    try {
      known = await read(secret);
      return known;
    } catch (error) {
      if (known === undefined) {
        reading = undefined;
        throw error;
      }
      if (reading) reading.until = clock() + RETRY;
      return known;
    }
  }

  return async (provider) => keyIn((await load()).trim(), provider);
}

function keyIn(text: string, provider: string): string {
  // Self-hosted servers mostly need no key, but the client requires one.
  if (!text.startsWith("{")) return text || "none";
  try {
    const keys = JSON.parse(text) as Record<string, string>;
    return keys[provider] ?? "none";
  } catch {
    // Omit the cause: the parser's message quotes the secret, which must not get into a log.
    throw new ModelError("misconfigured", "the secret with the API keys is not valid JSON");
  }
}
