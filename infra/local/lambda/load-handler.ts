import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

export type Handler = (event: unknown, context: object) => unknown;

/** Loads `file.export` from a bundle. Throws errors named as Lambda names them: `Runtime.ImportModuleError`, `Runtime.HandlerNotFound`. */
export async function loadHandler(directory: string, handler: string): Promise<Handler> {
  const dot = handler.indexOf(".", handler.lastIndexOf("/") + 1);
  const stem = handler.slice(0, dot);
  const file = [".mjs", ".js", ".cjs"].map((ending) => path.join(directory, stem + ending)).find(existsSync);
  if (dot < 0 || !file) throw named("Runtime.ImportModuleError", `Cannot find module '${stem}' in ${directory}`);
  let found: unknown = await import(pathToFileURL(file).href);
  for (const part of handler.slice(dot + 1).split(".")) {
    found = (found as Record<string, unknown> | undefined)?.[part];
  }
  if (typeof found !== "function") throw named("Runtime.HandlerNotFound", `${handler} is undefined or not exported`);
  return found as Handler;
}

/** `awslambda.streamifyResponse` marks a handler with this symbol, as in AWS's runtime. */
export const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
