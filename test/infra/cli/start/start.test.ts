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

  test.each([
    [["--port", "none"], '--port must be a whole number from 0 to 65535, not "none"'],
    [["--ttl-sweep=-1"], "--ttl-sweep must be a whole number from 0"],
    [["--schedule-every", "0"], "--schedule-every must be a whole number from 1"],
    [["--frsh"], "Unknown option '--frsh'"],
    [["stray"], "Unexpected argument 'stray'"],
    [["--data="], "--data must name a directory"],
    [["-c", "retention.archive"], '-c takes NAME=VALUE, such as -c retention.archive=90d, not "retention.archive"'],
  ])("refuses %j with exit code 2 and a message that says why", async (args, message) => {
    expect(await main(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });

  test("refuses an option of the deployment that is wrong, with exit code 1", async () => {
    const data = path.join(temporary.directory, "refused");
    const failed = await main("--port", "0", "--data", data, "-c", "retention.archive=1d", "-c", "retention.evnt=3d");
    const why = "retention.evnt does not exist";
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining(why) });
    // The CDK app is loaded to find out.
  }, 120_000);

  test("reports a port that is in use, with exit code 1", async () => {
    const taken = await listen(createServer(), 0);
    const failed = await main("--port", String(taken.port), "--data", path.join(temporary.directory, "data"));
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining(`port ${taken.port} is in use`) });
    await taken.close();
  });
});
