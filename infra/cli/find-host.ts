import { findRunningHost } from "../local/index.ts";

type RunningHost = NonNullable<ReturnType<typeof findRunningHost>>;

/** A running local host with the stack outputs that a command needs. */
export interface FoundHost<Name extends string> extends RunningHost {
  outputs: Record<Name, string>;
}

/**
 * Finds the local host that runs on a data directory. Throws an Error that says what to do when none runs.
 * @param remedy what else the user may do.
 */
export function findHost<Name extends string>(
  data: string,
  names: readonly Name[],
  remedy = "or name its directory (--data DIR)",
): FoundHost<Name> {
  const host = findRunningHost(data);
  if (!host) throw new Error(`No local host is running on ${data}. Start one (npm start), ${remedy}.`);
  return { ...host, outputs: pickOutputs(host.outputs, names, `The local host on ${data}`) };
}

/** Picks outputs of stacks by name. Throws an Error that says which are missing. */
export function pickOutputs<Name extends string>(
  outputs: Record<string, unknown>,
  names: readonly Name[],
  owner: string,
): Record<Name, string> {
  const missing = names.filter((name) => typeof outputs[name] !== "string");
  if (missing.length > 0) {
    throw new Error(`${owner} lacks the stack outputs ${missing.join(", ")}. Update it to this version of Memocha.`);
  }
  return Object.fromEntries(names.map((name) => [name, outputs[name]])) as Record<Name, string>;
}
