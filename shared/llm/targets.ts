import { log } from "../log.ts";
import { isPriced, knownModels, type ModelOverrides } from "./models.ts";

/** A model of a provider. */
export interface Target {
  /** Host of the provider's URL. It identifies the provider for the circuit breaker and the queue. */
  provider: string;
  baseUrl: string;
  model: string;
  isOpenAI: boolean;
}

export interface TargetSettings {
  baseUrl: string;
  /** The model for turns that do not name one. */
  model: string;
  /** Models to try in order: `model` of the same provider, or `model@https://host/v1` of another. */
  fallbacks: readonly string[];
  prices: ModelOverrides;
}

/** Whether clients may ask for a model. With OpenAI, the deployment must know the model. Other servers can have any model. */
export function isOffered(settings: TargetSettings, asked: string): boolean {
  return !createTarget(asked, settings.baseUrl).isOpenAI || isKnown(settings, asked);
}

/** Whether a model is configured or has a known price. Another name can be any text of the client. */
export function isKnown({ model, fallbacks, prices }: TargetSettings, asked: string): boolean {
  const configured = [model, ...fallbacks.map((entry) => entry.split("@")[0])];
  return configured.includes(asked) || isPriced(asked, prices);
}

/** A model in the format of OpenAI's list. */
export interface OfferedModel {
  id: string;
  /** Epoch seconds; 0 = not known. */
  created: number;
  owned_by: string;
}

/**
 * The models that a client can name: the configured ones, and those of OpenAI whose price is known or all that another server lists.
 * If that server does not answer, only the configured ones.
 */
export async function offeredModels(
  settings: TargetSettings,
  listOf: (baseUrl: string) => Promise<OfferedModel[]>,
): Promise<OfferedModel[]> {
  const { baseUrl, model, prices } = settings;
  const configured = targetsOf(settings).map((target) => ({ id: target.model, created: 0, owned_by: target.provider }));
  const { isOpenAI, provider } = createTarget(model, baseUrl);
  const others = isOpenAI ? pricedModels(prices, provider) : await listOf(baseUrl).catch(noModels);
  return [...new Map([...configured, ...others].map((offered) => [offered.id, offered])).values()];
}

function pricedModels(prices: ModelOverrides, owned_by: string): OfferedModel[] {
  const names = Object.keys({ ...knownModels, ...prices });
  return names.filter((name) => isPriced(name, prices)).map((id) => ({ id, created: 0, owned_by }));
}

function noModels(error: unknown): OfferedModel[] {
  log("warn", { message: "the provider does not list its models", cause: String(error) });
  return [];
}

/** Returns the targets of a turn in order: the requested model, then the fallbacks. */
export function targetsOf({ baseUrl, model, fallbacks }: TargetSettings, asked = model): Target[] {
  const first = createTarget(asked, baseUrl);
  const others = fallbacks.map((entry) => {
    const at = entry.indexOf("@");
    return at < 0 ? createTarget(entry, baseUrl) : createTarget(entry.slice(0, at), entry.slice(at + 1));
  });
  return [first, ...others.filter((other) => other.model !== first.model || other.baseUrl !== first.baseUrl)];
}

/** The providers of a deployment, by the URL of its models and its fallbacks. */
export function providersOf(baseUrl: string, fallbacks: readonly string[]): string[] {
  const targets = targetsOf({ baseUrl, model: "", fallbacks, prices: {} });
  return [...new Set(targets.map(({ provider }) => provider))];
}

function createTarget(model: string, baseUrl: string): Target {
  const { host } = new URL(baseUrl);
  return { provider: host, baseUrl, model, isOpenAI: host === "api.openai.com" };
}
