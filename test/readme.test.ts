import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMemocha } from "../infra/cli/start/start-memocha.ts";
import type { Host } from "../infra/local/index.ts";
import { retentionTable } from "./support/retention-table.ts";

const ROOT = path.resolve(import.meta.dirname, "..");
const README = path.join(ROOT, "README.md");
const readme = readFileSync(README, "utf8");
const { scripts } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

/** The shell commands under a marker `<!-- run: name -->`. */
const block = (name: string): string =>
  new RegExp(`<!-- run: ${name} -->\n\`\`\`sh\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1] ?? "";

/** Runs shell commands as a reader would, and gives what they print. */
async function shell(commands: string): Promise<string> {
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", commands], { cwd: ROOT });
  return stdout;
}

describe("the README", () => {
  it("names only commands that exist", () => {
    const named = [...readme.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name ?? "");
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("names only files that exist", () => {
    const files = [...readme.matchAll(/`((?:shared|infra|functions|test|docs)\/[\w./-]+\.\w+)`/g)].map(
      ([, file]) => file,
    );
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) expect(() => readFileSync(path.join(ROOT, file ?? "")), file).not.toThrow();
  });

  it("has the retention policy as it is (UPDATE_README=1 npm test writes it)", () => {
    const part = /<!-- retention -->\n[\s\S]*?<!-- \/retention -->/;
    const current = `<!-- retention -->\n${retentionTable()}<!-- /retention -->`;
    if (process.env.UPDATE_README)
      writeFileSync(
        README,
        readme.replace(part, () => current),
      );
    else expect(part.exec(readme)?.[0]).toBe(current);
  });

  it("has commands that explain themselves", async () => {
    const helps = block("help").trim().split("\n");
    expect(helps.length).toBeGreaterThan(4);
    for (const help of helps) expect(await shell(help), help).toMatch(/npm (run|start)/);
  });
});

describe("the first commands of the README", () => {
  let directory: string;
  let host: Host;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "memocha-readme-"));
    host = await startMemocha({ data: directory, port: 0 });
  }, 120_000);
  afterAll(async () => {
    await host.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("work as they stand", async () => {
    const commands = block("try")
      .replace("http://127.0.0.1:3000", host.url)
      .replace("token -- ", `token -- --data ${directory} `)
      .replaceAll("\ncurl -s", "\ncurl -s --fail-with-body -w '\\n'");
    const [created, appended, newest, health] = (await shell(commands))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(created).toMatchObject({ id: "trip", user_id: "alice", title: "A trip", status: "active" });
    expect(appended.data).toHaveLength(2);
    expect(newest.data[0].content).toBe("Lisbon: warm already, and not yet full.");
    expect(health).toMatchObject({ status: "ok", active_sessions: 1 });
  });
});
