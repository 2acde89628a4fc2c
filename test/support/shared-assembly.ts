import path from "node:path";
import { inject } from "vitest";

/** Returns the directory of the assembly that all test files share. Waits until it is there. */
export async function sharedAssembly(): Promise<string> {
  const response = await fetch(inject("assemblyUrl"));
  const answer = await response.text();
  if (!response.ok) throw new Error(answer);
  return answer;
}

/** Options of Node and variables with which `npm start` uses an assembly instead of synthesizing one. */
export async function withSharedAssembly(): Promise<{ options: string[]; variables: Record<string, string> }> {
  return {
    options: ["--import", path.resolve("test/support/use-assembly.ts")],
    variables: { TEST_ASSEMBLY: await sharedAssembly() },
  };
}
