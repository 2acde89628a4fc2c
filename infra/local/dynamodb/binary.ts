import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/**
 * Path of the embedded DynamoDB's executable for this machine.
 * Throws an Error that says what to do when its package is not installed.
 */
export function findBinary(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@dynoxide/${platform}-${arch}`;
  const missing = new Error(
    `The embedded DynamoDB has no executable for ${platform}-${arch} here: the package ${name} is not installed. ` +
      `Run "npm install" with optional dependencies (npm install --include=optional ${name}), or set DYNAMODB_ENDPOINT ` +
      "to another DynamoDB, such as http://127.0.0.1:8000 of DynamoDB Local.",
  );
  let directory: string;
  try {
    directory = path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    throw missing;
  }
  const binary = path.join(directory, platform === "win32" ? "dynoxide.exe" : "dynoxide");
  if (!existsSync(binary)) throw missing;
  return binary;
}
