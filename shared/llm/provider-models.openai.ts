import { timeLimit } from "../clock.ts";
import { createOpenAI } from "../openai/create-openai.ts";
import type { OfferedModel } from "./targets.ts";

/** Maximum milliseconds for a provider to list its models. */
const LIST_TIMEOUT = 5000;

/** Maximum number of listed models. */
const MAX_MODELS = 1000;

/** Reads the models of the server at a URL. */
export type ProviderModels = (baseUrl: string) => Promise<OfferedModel[]>;

/** Lists the models of any server with the OpenAI API. It checks each value of the answer, because servers differ. */
export function createProviderModels(apiKey: (provider: string) => Promise<string>): ProviderModels {
  return async (baseUrl) => {
    const { host } = new URL(baseUrl);
    const client = createOpenAI({ baseURL: baseUrl, apiKey: () => apiKey(host), maxRetries: 0 });
    const { data } = await client.models.list({ signal: timeLimit(LIST_TIMEOUT) });
    const models: Partial<Record<"id" | "created" | "owned_by", unknown>>[] = Array.isArray(data) ? data : [];
    return models.slice(0, MAX_MODELS).flatMap(({ id, created, owned_by }) => {
      if (typeof id !== "string" || id === "") return [];
      const owner = typeof owned_by === "string" ? owned_by : host;
      return [{ id, created: Number.isSafeInteger(created) ? Number(created) : 0, owned_by: owner }];
    });
  };
}
