import { chatVariables } from "../stacks/chat-settings.ts";
import type { Listening } from "./listen.ts";
import { startOfflineModel } from "./offline-model/server.ts";

/** Which models functions ask on this machine. */
export interface ModelSettings {
  /** The variables that replace those of a function's template. */
  overrides(environment: Record<string, string>): Record<string, string>;
  close(): Promise<void>;
}

/**
 * With `memory` false, functions remember and recall nothing. Models are those that the host's own environment names (`OPENAI_API_KEY`, `OPENAI_BASE_URL`, `CHAT_MODEL` and so on); with neither
 * a key nor a URL, the offline model's.
 */
export async function startModels({ memory }: { memory: boolean }): Promise<ModelSettings> {
  const given: Record<string, string> = { ...givenVariables(), ...(memory ? {} : { MEMORY: "off" }) };
  const isConfigured = given.OPENAI_API_KEY ?? given.OPENAI_BASE_URL ?? given.CHAT_BASE_URL;
  const offline: Listening | undefined = isConfigured ? undefined : await startOfflineModel();
  const own = offline && { CHAT_BASE_URL: offline.url, CHAT_MODEL: "offline", OPENAI_SECRET_ARN: "" };
  return {
    overrides(environment) {
      if ("CHAT_MODEL" in environment) return { ...own, ...given };
      const { OPENAI_API_KEY, OPENAI_BASE_URL, EMBEDDING_MODEL, MEMORY, PLANS } = given;
      const OPENAI_SECRET_ARN = own?.OPENAI_SECRET_ARN;
      if ("EMBEDDING_MODEL" in environment) {
        return present({ OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_SECRET_ARN, EMBEDDING_MODEL, MEMORY });
      }
      return "PLANS" in environment ? present({ PLANS }) : {};
    },
    close: async () => offline?.close(),
  };
}

function givenVariables(): Record<string, string> {
  // biome-ignore lint/style/noProcessEnv: the user says with these variables which models to use
  return present(Object.fromEntries(chatVariables.map((name) => [name, process.env[name] || undefined])));
}

const present = (variables: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined));
