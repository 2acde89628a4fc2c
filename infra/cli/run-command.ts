import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The command line is wrong: the text says how. */
export class UsageError extends Error {}

const HELP = `
Every command also takes --data DIR, the local host's data directory (default .memocha), and --help.
`;
const EXIT_CODES = "0 = done, 1 = an error, 2 = wrong usage";

/** Options of every command. */
const common = {
  data: { type: "string", default: ".memocha" },
  help: { type: "boolean", short: "h", default: false },
} as const satisfies ParseArgsOptionsConfig;

interface Command<Options> {
  /** As in `npm run <name>`. */
  name: string;
  /** The text of `--help`, without the options of every command and the exit codes. */
  usage: string;
  /** @default "0 = done, 1 = an error, 2 = wrong usage" */
  exitCodes?: string;
  /** The options beside `--data` and `--help`. */
  options: Options;
  /** Whether it takes arguments that are no options. @default false */
  allowPositionals?: boolean;
}

type Parsed<Options extends ParseArgsOptionsConfig> = {
  values: Values<Options> & Values<typeof common>;
  positionals: string[];
};

type Values<Options extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: Options }>>["values"];

/**
 * Runs a command and sets the exit code of the process: the result of `run` (0 if it has none), 2 after a `UsageError`, 1 after any other
 * error. The text of an error goes to stderr.
 */
export async function runCommand<const Options extends ParseArgsOptionsConfig>(
  { name, usage, exitCodes = EXIT_CODES, options, allowPositionals = false }: Command<Options>,
  run: (values: Parsed<Options>["values"], positionals: string[]) => Promise<number | undefined>,
): Promise<void> {
  try {
    const { values, positionals } = parse({ ...options, ...common }, allowPositionals);
    if (values.data === "") throw new UsageError("--data must name a directory");
    if (values.help) process.stdout.write(`${usage}${HELP}\nExit code: ${exitCodes}.\n`);
    else process.exitCode = await run(values, positionals);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`${messageOf(error)}\n${isUsage ? `Run npm run ${name} -- --help for the options.\n` : ""}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

function parse<Options extends ParseArgsOptionsConfig>(
  options: Options & typeof common,
  allowPositionals: boolean,
): Parsed<Options> {
  try {
    return parseArgs({ options, allowPositionals }) as Parsed<Options>;
  } catch (error) {
    return failUsage(error);
  }
}

/** Throws a `UsageError` with the text of an error. */
export function failUsage(cause: unknown): never {
  throw new UsageError(messageOf(cause), { cause });
}

/** Reads a whole number. Throws a `UsageError` that names the option. */
export function readInteger(text: string | undefined, option: string, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${option} must be a whole number from ${min} to ${max}, not "${text}"`);
}

/** The text of an error for people. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
