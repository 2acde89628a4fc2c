import path from "node:path";
import { type Host, type StartOptions, startHost } from "../../local/index.ts";
import { startModels } from "./start-models.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");

/** Synthesizes the stage dev of Memocha, with these options, and runs it on this machine. */
export async function startMemocha(
  options: Omit<StartOptions, "assembly" | "variables">,
  context: Record<string, string> = {},
): Promise<Host> {
  const models = await startModels();
  try {
    const host = await startHost({ ...options, assembly: app(context), variables: models.variables });
    if (!host.vectors) options.log?.warn("memory is off, because it needs vector indexes");
    const stop = () => host.stop().finally(models.close);
    return { ...host, stop };
  } catch (error) {
    await models.close();
    throw error;
  }
}

function app(context: Record<string, string>) {
  // biome-ignore lint/style/noProcessEnv: the user allows pages to call the API with this variable
  const { CORS_ORIGINS } = process.env;
  return {
    directory: ROOT,
    program: ["infra/app.ts", "--sources-on-disk"],
    context: {
      stage: "dev",
      mcpRedirectUrls: "http://localhost",
      ...(CORS_ORIGINS && { corsOrigins: CORS_ORIGINS }),
      ...context,
    },
  };
}
