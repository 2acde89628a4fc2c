import { parseArgs } from "node:util";
import { loadIssuerKey } from "../local/issuer/key.ts";
import { signToken } from "../local/issuer/token.ts";

const USAGE = `Prints a token that the local host accepts.

  npm run -s token -- --user NAME [--admin] [--act-as] [--plan NAME] [--expires 1h] [--data .memocha]

  --user NAME     the user: the token's "sub"
  --admin         in the group "admin": opens the admin routes
  --act-as        may name the user it acts for in X-User-Id
  --plan NAME     the plan of its limits: free, pro or unlimited, unless PLANS says otherwise (default free)
  --expires TIME  like 90s, 30m, 1h or 7d (default 1d)
  --data DIR      the host's data directory (default .memocha)
`;

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

try {
  process.stdout.write(`${await main(process.argv.slice(2))}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

async function main(args: string[]): Promise<string> {
  const { values } = parseArgs({
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
  });
  if (values.help) return USAGE;
  if (!values.user) throw new Error(`--user is missing\n\n${USAGE}`);
  return await signToken(await loadIssuerKey(values.data), {
    user: values.user,
    admin: values.admin,
    actAs: values["act-as"],
    ...(values.plan ? { plan: values.plan } : {}),
    expiresIn: seconds(values.expires),
  });
}

function seconds(text: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (!count || !unit) throw new Error(`--expires must be like 90s, 30m, 1h or 7d, not "${text}"`);
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}
