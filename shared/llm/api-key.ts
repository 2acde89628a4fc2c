import type { Clock } from "../clock.ts";
import { ModelError } from "./model-error.ts";

/** Milliseconds for which a key is cached: after a rotation, the old key is used for at most this long. */
const MAX_AGE = 300_000;

/** Milliseconds until the next attempt to read a secret that could not be read. */
const RETRY = 30_000;

/** Reads the text of a secret. */
export type ReadSecret = (id: string) => Promise<string>;

/**
 * Creates a function that returns the API key of a provider, from the environment or from a secret. Each can be the key itself or, for
 * several providers, a JSON object of hosts and keys. It reads the secret every five minutes. If a read fails, it uses the last known value.
 * Throws a `ModelError` when there is none.
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
  // Most self-hosted servers need no key, but the client requires one.
  if (!text.startsWith("{")) return text || "none";
  try {
    const keys = JSON.parse(text) as Record<string, string>;
    return keys[provider] ?? "none";
  } catch {
    // Omit the cause, because the parser's message quotes the secret, and logs must not have it.
    throw new ModelError("misconfigured", "the secret with the API keys is not valid JSON");
  }
}
