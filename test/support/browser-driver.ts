import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where distributions install Chromium. */
const SYSTEM_BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Starts the system's Chromium, or the one of the npm package, which also brings the libraries that a machine may lack. */
export async function startBrowser(): Promise<Browser> {
  const system = SYSTEM_BROWSERS.find((file) => existsSync(file));
  if (system) return await chromium.launch({ executablePath: system, args: ["--no-sandbox"] });
  const { default: packaged } = await import("@sparticuz/chromium");
  return await chromium.launch({ executablePath: await packaged.executablePath(), args: packaged.args });
}
