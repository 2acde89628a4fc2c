import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findHost } from "../find-host.ts";
import { asUsageError, runCommand } from "../run-command.ts";
import { frameOf } from "./frame.ts";
import { openTop } from "./sample.ts";

const USAGE = `Shows what the running local host is doing, refreshed each second.

  npm run top [-- --data .memocha] [--once]

  --data DIR  the local host's data directory (default .memocha)
  --once      one frame, and out; so it is, too, where the output is no terminal
  --help

Ctrl-C or q ends it.

Exit code: 0 = done, 1 = something went wrong, 2 = wrong usage.
`;

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** q, Ctrl-C and Ctrl-D, as a terminal in raw mode sends them. */
const ENDING = ["q", "\x03", "\x04"];

await runCommand("top", async (args) => {
  await main(args);
  return 0;
});

async function main(args: string[]): Promise<void> {
  const values = readOptions(args);
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const top = openTop(findHost(values.data));
  try {
    if (values.once || !process.stdout.isTTY) process.stdout.write(`${frameOf(await top.sample(), 100).join("\n")}\n`);
    else await refresh(top);
  } finally {
    top.close();
  }
}

/** Redraws in place on the terminal's other screen, until it is told to end; the screen comes back as it was. */
async function refresh(top: ReturnType<typeof openTop>): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, end);
  if (process.stdin.isTTY) {
    process.stdin.setRawMode(true);
    process.stdin.on("data", (keys) => {
      if (ENDING.some((key) => String(keys).includes(key))) end();
    });
  }
  process.stdout.write(ENTER);
  try {
    while (!ended.signal.aborted) {
      const began = performance.now();
      const lines = frameOf(await top.sample(), process.stdout.columns).slice(0, process.stdout.rows - 1);
      process.stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join("\n")}\n${CLEAR_BELOW}`);
      const wait = Math.max(50, 1000 - (performance.now() - began));
      await sleep(wait, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  } finally {
    process.stdout.write(LEAVE);
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}

function readOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        data: { type: "string", default: ".memocha" },
        once: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return asUsageError(error);
  }
}
