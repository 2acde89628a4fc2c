import { execFile } from "node:child_process";
import { createServer } from "node:http";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { listen } from "../../../../infra/local/index.ts";
import { temporaryDirectory } from "../../local/fixture-assembly.ts";

const temporary = temporaryDirectory();
afterAll(temporary.remove);

const run = promisify(execFile);
const main = (...args: string[]) =>
  run(process.execPath, [path.resolve("infra/cli/start/start.ts"), ...args]).catch(
    (error: { code: number; stdout: string; stderr: string }) => error,
  );

describe("npm start", () => {
  test("shows its options", async () => {
    expect((await main("--help")).stdout).toContain("--schedule-every N");
  });

  test("refuses an unknown option, value or argument with exit code 2", async () => {
    const failed = await main("--port", "none");
    expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining('not "none"') });
    const unknown = await main("--frsh");
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining("Unknown option '--frsh'") });
    const stray = await main("stray");
    expect(stray).toMatchObject({ code: 2, stderr: expect.stringContaining("Unexpected argument 'stray'") });
  });

  test("reports a port that is in use, with exit code 1", async () => {
    const taken = await listen(createServer(), 0);
    const failed = await main("--port", String(taken.port), "--data", path.join(temporary.directory, "data"));
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining(`port ${taken.port} is in use`) });
    await taken.close();
  });
});
