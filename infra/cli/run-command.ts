/** The command line is not as `--help` says. */
export class UsageError extends Error {}

/**
 * Runs the command `npm run <name>`, and sets the exit code of the process: what `main` gives; 2 after a `UsageError`, 1 after
 * any other error, whose text goes to stderr.
 */
export async function runCommand(name: string, main: (args: string[]) => Promise<number>): Promise<void> {
  process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
    const isUsage = error instanceof UsageError;
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message}\n${isUsage ? `npm run ${name} -- --help tells how it is used.\n` : ""}`);
    return isUsage ? 2 : 1;
  });
}

/** Throws a `UsageError` that says the same. */
export function asUsageError(cause: unknown): never {
  throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
}
