import { parseArgs } from "node:util";

export interface CommandOptions {
  /** 0 = any free port. @default 3000 */
  port: number;
  /** The data directory. @default ".memocha" */
  data: string;
  /** Start empty. */
  fresh: boolean;
  /** Seconds between two deletions of expired items; 0 = never. @default 5 */
  ttlSweep: number;
  /** Fire every schedule every so many seconds instead of by its expression. */
  scheduleEvery: number | undefined;
  /** One invocation at a time in each worker, as on Lambda. */
  isolate: boolean;
  /** File that gets the used and unused grants of the functions' roles when the host stops. */
  grants: string | undefined;
  verbose: boolean;
}

export const USAGE = `Runs the synthesized template on this machine.

  npm start -- [options]

  --port N            port of the API on 127.0.0.1; 0 = any free one (default 3000)
  --data DIR          where everything is kept (default .memocha)
  --fresh             start empty; the key of the token issuer stays, so tokens printed before stay good
  --ttl-sweep N       delete expired items every N seconds; 0 = never (default 5)
  --schedule-every N  fire every schedule every N seconds instead of by its expression
  --isolate           one invocation at a time in each worker, as on Lambda (10 workers a function at most)
  --grants FILE       write which grants of the functions' roles were used and which were not, when it stops
  --verbose           show everything: functions' logs, stack traces, what has nothing to run here, engines
  --help              show this

  Environment:
    CORS_ORIGINS                    origins whose pages may call the API, like http://localhost:5173,https://chat.example.com, or *
    DYNAMODB_ENDPOINT, S3_ENDPOINT  use these engines instead of the embedded ones (with AWS_ACCESS_KEY_ID and
                                    AWS_SECRET_ACCESS_KEY, where they ask for credentials)
`;

/** Reads the command line. Throws an Error whose message says what is wrong with it. */
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
