import { parseArgs } from "node:util";

export interface CommandOptions {
  /** 0 = any free port. @default 3000 */
  port: number;
  /** The data directory. @default ".memocha" */
  data: string;
  /** Deletes all data first. */
  fresh: boolean;
  /** Seconds between two deletions of expired items; 0 = never. @default 5 */
  ttlSweep: number;
  /** Seconds between two runs of every schedule; undefined = as its expression says. */
  scheduleEvery: number | undefined;
  /** Runs one invocation at a time per worker, as Lambda does. */
  isolate: boolean;
  /** File for the used and unused grants of the functions' roles. */
  grants: string | undefined;
  verbose: boolean;
}

export const USAGE = `Runs Memocha on this machine.

  npm start -- [options]

  --port N            port of the API on 127.0.0.1; 0 = any free one (default 3000)
  --data DIR          directory of all data (default .memocha)
  --fresh             delete all data first; the key of the token issuer stays, so that earlier tokens stay valid
  --ttl-sweep N       delete expired items every N seconds; 0 = never (default 5)
  --schedule-every N  run every schedule every N seconds, whatever its expression says
  --isolate           run one invocation at a time per worker, as on Lambda (at most 10 workers per function)
  --grants FILE       write the used and unused grants of the functions' roles to FILE when the host stops
  --verbose           also show the functions' logs, stack traces, ignored resources and the engines' messages
  --help              show this help

  Environment:
    CORS_ORIGINS       origins whose pages may call the API, like http://localhost:5173,https://chat.example.com, or *
    DYNAMODB_ENDPOINT  a DynamoDB that replaces the embedded one; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are its
                       credentials, if it needs any
`;

/** Reads the command line. Throws an Error that says what is wrong. */
export function readOptions(args: string[]): CommandOptions & { help: boolean } {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "3000" },
      data: { type: "string", default: ".memocha" },
      fresh: { type: "boolean", default: false },
      "ttl-sweep": { type: "string", default: "5" },
      "schedule-every": { type: "string" },
      isolate: { type: "boolean", default: false },
      grants: { type: "string" },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const every = values["schedule-every"];
  if (values.data === "") throw new Error("--data must name a directory");
  return {
    port: count("--port", values.port, 0, 65_535),
    data: values.data,
    fresh: values.fresh,
    ttlSweep: count("--ttl-sweep", values["ttl-sweep"], 0, 86_400),
    scheduleEvery: every === undefined ? undefined : count("--schedule-every", every, 1, 86_400),
    isolate: values.isolate,
    grants: values.grants,
    verbose: values.verbose,
    help: values.help,
  };
}

function count(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`${option} must be a whole number from ${min} to ${max}, not "${text}"`);
}
