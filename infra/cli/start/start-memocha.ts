import path from "node:path";
import { type CdkApp, type Host, type StartOptions, startHost } from "../../local/index.ts";
import { startModels } from "./start-models.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");

/** Runs Memocha on this machine. Unless an assembly is given, it synthesizes the stage dev with the options of the deployment in `context`. */
export async function startMemocha(
  options: Omit<StartOptions, "assembly" | "variables"> & Partial<Pick<StartOptions, "assembly">>,
  context: Record<string, string> = {},
): Promise<Host> {
  const models = await startModels();
  try {
    const host = await startHost({ assembly: memochaApp(context), ...options, variables: models.variables });
    if (!host.vectors) options.log?.warn("memory is off, because it needs vector indexes");
    const stop = () => host.stop().finally(models.close);
    return { ...host, stop };
  } catch (error) {
    await models.close();
    throw error;
  }
}

/** The CDK app, whose functions' stack traces name the sources on this machine. */
export function memochaApp(context: Record<string, string>): CdkApp {
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
