import { parseArgs } from "node:util";
import { issueToken } from "../../local/index.ts";
import { asUsageError, runCommand, UsageError } from "../run-command.ts";

const USAGE = `Prints a token that the local host accepts.

  npm run -s token -- --user NAME [--admin] [--act-as] [--plan NAME] [--expires 1h] [--data .memocha]

  --user NAME     the user: the token's "sub"
  --admin         in the group "admin": opens the admin routes
  --act-as        may name the user it acts for in X-User-Id
  --plan NAME     the plan of its limits: free, pro or unlimited, unless PLANS says otherwise (default free)
  --expires TIME  like 90s, 30m, 1h or 7d (default 1d)
  --data DIR      the host's data directory (default .memocha)
  --help

Exit code: 0 = done, 1 = something went wrong, 2 = wrong usage.
`;

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

await runCommand("token", async (args) => {
  process.stdout.write(await main(args));
  return 0;
});

async function main(args: string[]): Promise<string> {
  const values = readOptions(args);
  if (values.help) return USAGE;
  if (!values.user) throw new UsageError("--user is missing: the user that the token is for");
  const token = await issueToken(values.data, {
    user: values.user,
    admin: values.admin,
    actAs: values["act-as"],
    ...(values.plan ? { plan: values.plan } : {}),
    expiresIn: seconds(values.expires),
  });
  return `${token}\n`;
}

function seconds(text: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (!count || !unit) throw new UsageError(`--expires must be like 90s, 30m, 1h or 7d, not "${text}"`);
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        user: { type: "string" },
        admin: { type: "boolean", default: false },
        "act-as": { type: "boolean", default: false },
        plan: { type: "string" },
        expires: { type: "string", default: "1d" },
        data: { type: "string", default: ".memocha" },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return asUsageError(error);
  }
}
