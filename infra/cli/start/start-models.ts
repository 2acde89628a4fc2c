import { chatVariables } from "../../stacks/chat-settings.ts";
import { startOfflineModel } from "./offline-model/start-offline-model.ts";

/** The models that functions call on this machine. */
interface Models {
  /** Returns the variables that replace those of a function's template. */
  variables(template: Record<string, string>, engines: { vectors: boolean }): Record<string, string>;
  close(): Promise<void>;
}

/**
 * The environment of the host names the models (`OPENAI_API_KEY`, `OPENAI_BASE_URL`, `CHAT_MODEL` and so on). With neither a key nor
 * a URL, functions call the offline model. Without vector indexes, memory is off.
 */
export async function startModels(): Promise<Models> {
  const set = environmentVariables();
  const isConfigured = set.OPENAI_API_KEY ?? set.OPENAI_BASE_URL ?? set.CHAT_BASE_URL;
  const offline = isConfigured ? undefined : await startOfflineModel();
  const own = offline && { CHAT_BASE_URL: offline.url, CHAT_MODEL: "offline", OPENAI_SECRET_ARN: "" };
  return {
    variables(template, { vectors }) {
      const given: Record<string, string> = { ...set, ...(!vectors && { MEMORY: "off" }) };
      if ("CHAT_MODEL" in template) return { ...own, ...given };
      const { OPENAI_API_KEY, OPENAI_BASE_URL, EMBEDDING_MODEL, MEMORY, PLANS } = given;
      const OPENAI_SECRET_ARN = own?.OPENAI_SECRET_ARN;
      if ("EMBEDDING_MODEL" in template) {
        return present({ OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_SECRET_ARN, EMBEDDING_MODEL, MEMORY });
      }
      return "PLANS" in template ? present({ PLANS }) : {};
    },
    close: async () => offline?.close(),
  };
}

function environmentVariables(): Record<string, string> {
  // biome-ignore lint/style/noProcessEnv: the user selects the models with these variables
  return present(Object.fromEntries(chatVariables.map((name) => [name, process.env[name] || undefined])));
}

const present = (variables: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined));
