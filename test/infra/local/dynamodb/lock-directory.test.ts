import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockDirectory } from "../../../../infra/local/dynamodb/lock-directory.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the lock of a data directory", () => {
  it("refuses a second host, with the process id of the first, until the first releases it", () => {
    const lock = lockDirectory(path.join(directory, "data"));
    expect(() => lockDirectory(path.join(directory, "data"))).toThrow(`Another host (pid ${process.pid}) is running`);
    lock.release();
    lockDirectory(path.join(directory, "data")).release();
  });

  it("is released when the host is killed", async () => {
    const module = path.resolve("infra/local/dynamodb/lock-directory.ts");
    const code = `const { lockDirectory } = await import(${JSON.stringify(module)});
      lockDirectory(${JSON.stringify(directory)}); console.log("locked"); setInterval(() => 0, 1000);`;
    const host = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => host.stdout.once("data", resolve));
    expect(() => lockDirectory(directory)).toThrow(`pid ${host.pid}`);
    host.kill("SIGKILL");
    await new Promise((resolve) => host.once("exit", resolve));
    lockDirectory(directory).release();
  });
});
