import type { HttpDependencies } from "../../shared/http/chain.ts";
import { createHttpHandler } from "../../shared/http/http-handler.ts";
import { chatOperations } from "../../shared/http/operations/chat-operations.ts";
import type { ProviderModels } from "../../shared/llm/provider-models.openai.ts";
import { offeredModels, type TargetSettings } from "../../shared/llm/targets.ts";
import { lazyHandler, openHttp } from "../compose.ts";
import { openProviderModels, targetSettings } from "../compose-chat.ts";

interface Dependencies extends HttpDependencies {
  targets: TargetSettings;
  providerModels: ProviderModels;
}

/** GET /v1/models */
export function createListModels(deps: Dependencies) {
  return createHttpHandler(chatOperations.listModels, deps, async () => {
    const models = await offeredModels(deps.targets, deps.providerModels);
    return { status: 200, body: { object: "list", data: models.map((model) => ({ object: "model", ...model })) } };
  });
}

export const handler = lazyHandler((config) =>
  createListModels({
    ...openHttp(config),
    targets: targetSettings(config),
    providerModels: openProviderModels(config),
  }),
);
