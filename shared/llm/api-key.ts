import type { Clock } from "../clock.ts";

/** Milliseconds that a key is kept: how long after a rotation the old one may still be used. */
const MAX_AGE = 300_000;

/** Reads the text of a secret. */
export type ReadSecret = (id: string) => Promise<string>;

/**
 * The API key of a provider, from the environment or from a secret. Either holds the key itself or, for several providers, a JSON
 * object of hosts and keys. The secret is read once in five minutes; when it cannot be, the last one read is used.
 */
export function createApiKeys(
  { key, secret }: { key: string; secret: string },
  read: ReadSecret,
  clock: Clock,
): (provider: string) => Promise<string> {
  let known: { text: string; at: number } | undefined;
  const load = async (): Promise<string> => {
    if (key !== "" || secret === "") return key;
    if (known && clock() - known.at < MAX_AGE) return known.text;
    try {
      known = { text: await read(secret), at: clock() };
    } catch (error) {
      if (!known) throw error;
    }
    return known.text;
  };
  return async (provider) => keyIn((await load()).trim(), provider);
}

function keyIn(text: string, provider: string): string {
  // Servers of one's own mostly want none, but the client insists on one.
  if (!text.startsWith("{")) return text || "none";
  const keys = JSON.parse(text) as Record<string, string>;
  return keys[provider] ?? "none";
}
