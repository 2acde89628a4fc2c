import { setTimeout as sleep } from "node:timers/promises";
import { findHost } from "../find-host.ts";
import { runCommand } from "../run-command.ts";
import { frameOf } from "./frame.ts";
import { openSampler, type Sampler, TOP_OUTPUTS } from "./sampler.ts";

const usage = `Shows the requests, sessions and dead letters of the running local host, refreshed every second.

  npm run top [-- --once]

  --once      print one frame and exit; this is the default when the output is not a terminal

Ctrl-C or q ends it.
`;

/** Control sequences of terminals: the alternate screen without a cursor, and back; the first position; clearing. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** q, Ctrl-C and Ctrl-D, as a terminal in raw mode sends them. */
const QUIT_KEYS = ["q", "\x03", "\x04"];

/** Milliseconds between frames. */
const REFRESH = 1000;
const MIN_WAIT = 50;

/** Columns of a frame that does not go to a terminal. */
const DEFAULT_WIDTH = 100;

await runCommand(
  { name: "top", usage, options: { once: { type: "boolean", default: false } } },
  async ({ once, data }) => {
    const sampler = openSampler(findHost(data, TOP_OUTPUTS));
    try {
      if (once || !process.stdout.isTTY) {
        process.stdout.write(`${frameOf(await sampler.sample(), DEFAULT_WIDTH).join("\n")}\n`);
      } else await refresh(sampler);
    } finally {
      sampler.close();
    }
    return 0;
  },
);

/** Redraws frames on the terminal's alternate screen until the user quits. The main screen then shows what it showed before. */
async function refresh(sampler: Sampler): Promise<void> {
  const quit = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => quit.abort());
  if (process.stdin.isTTY) {
    process.stdin.setRawMode(true);
    process.stdin.on("data", (keys) => {
      if (QUIT_KEYS.some((key) => String(keys).includes(key))) quit.abort();
    });
  }
  process.stdout.write(ENTER);
  try {
    while (!quit.signal.aborted) {
      const start = performance.now();
      const lines = frameOf(await sampler.sample(), process.stdout.columns).slice(0, process.stdout.rows - 1);
      process.stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join("\n")}\n${CLEAR_BELOW}`);
      const wait = Math.max(MIN_WAIT, REFRESH - (performance.now() - start));
      await sleep(wait, undefined, { signal: quit.signal }).catch(() => undefined);
    }
  } finally {
    process.stdout.write(LEAVE);
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.pause();
  }
}
