import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where distributions install Chromium. */
const SYSTEM_BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Starts the system's Chromium, or the one of the npm package, which also brings the libraries that a machine may lack. */
export async function startBrowser(): Promise<Browser> {
  const system = SYSTEM_BROWSERS.find((file) => existsSync(file));
  // The package's own arguments are for Lambda: they turn off the web's security, and run everything in one process.
  const executablePath = system ?? (await (await import("@sparticuz/chromium")).default.executablePath());
  return await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}
