import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Browser, chromium } from "playwright-core";

/** Where distributions install Chromium. */
const SYSTEM_BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Attempts to start a browser that another process is unpacking, and milliseconds between them. */
const ATTEMPTS = 60;
const PAUSE = 500;

/**
 * Starts the system's Chromium, or the one of the npm package, which also brings the libraries that a machine may lack. Fails when neither
 * starts, so that no test of the page is skipped.
 */
export async function startBrowser(): Promise<Browser> {
  const system = SYSTEM_BROWSERS.find((file) => existsSync(file));
  // The package's own arguments are for Lambda: they turn off the web's security, and run everything in one process.
  const executablePath = system ?? (await (await import("@sparticuz/chromium")).default.executablePath());
  for (let attempt = 1; ; attempt++) {
    try {
      return await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    } catch (error) {
      // The file is open for writing, because a test file that runs at the same time unpacks it.
      if (!String(error).includes("ETXTBSY") || attempt === ATTEMPTS) throw error;
      await sleep(PAUSE);
    }
  }
}
