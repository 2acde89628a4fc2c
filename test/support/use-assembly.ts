/** Node loads this file before `npm start`: the host then uses the assembly in `TEST_ASSEMBLY` instead of synthesizing one. */
import { registerHooks } from "node:module";

const source = `export const synthesize = async () => ${JSON.stringify(process.env.TEST_ASSEMBLY)};`;
let isReplaced = false;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith("/infra/local/synthesize.ts")) return nextLoad(url, context);
    isReplaced = true;
    return { format: "module", shortCircuit: true, source };
  },
});
// If the module has moved, fail instead of synthesizing again for every host.
process.on("exit", () => {
  if (!isReplaced) throw new Error("infra/local/synthesize.ts was not loaded");
});
