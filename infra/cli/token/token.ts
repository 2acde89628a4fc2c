import { issueToken } from "../../local/index.ts";
import { runCommand, UsageError } from "../run-command.ts";

const usage = `Prints a token that the local host accepts.

  npm run -s token -- --user NAME [--admin] [--act-as] [--plan NAME] [--expires 1h]

  --user NAME     the user: the token's "sub"
  --admin         put the user in the group "admin", which may call the admin routes
  --act-as        let the user name another user in X-User-Id
  --plan NAME     the plan with the user's limits: free, pro or unlimited, unless PLANS says otherwise (default free)
  --expires TIME  how long the token is valid, like 90s, 30m, 1h or 7d (default 1d)
`;

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

const options = {
  user: { type: "string" },
  admin: { type: "boolean", default: false },
  "act-as": { type: "boolean", default: false },
  plan: { type: "string" },
  expires: { type: "string", default: "1d" },
} as const;

await runCommand({ name: "token", usage, options }, async ({ user, admin, "act-as": actAs, plan, expires, data }) => {
  if (!user) throw new UsageError("--user is missing: name the user for whom the token is");
  const expiresIn = readDuration(expires);
  const token = await issueToken(data, { user, admin, actAs, ...(plan && { plan }), expiresIn });
  process.stdout.write(`${token}\n`);
  return 0;
});

/** Reads a duration in seconds. */
function readDuration(text: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (!count || !unit) throw new UsageError(`--expires must be like 90s, 30m, 1h or 7d, not "${text}"`);
  return Number(count) * SECONDS[unit as keyof typeof SECONDS];
}
