import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMemocha } from "../infra/cli/start/start-memocha.ts";
import type { Host } from "../infra/local/index.ts";
import { expectPart } from "./support/generated-part.ts";
import { placesTable, retentionTable } from "./support/retention-table.ts";
import { sharedAssembly } from "./support/shared-assembly.ts";

const ROOT = path.resolve(import.meta.dirname, "..");
/** Milliseconds for blocks of shell commands, each of which starts npm and Node. */
const SHELL = 120_000;
const pages = [
  "README.md",

  ...readdirSync(path.join(ROOT, "docs")).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(path.join(ROOT, name), "utf8") }));
const everything = pages.map(({ text }) => text).join("\n");
const { scripts } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

/** The shell commands under a marker `<!-- run: name -->`. */
const block = (name: string): string =>
  new RegExp(`<!-- run: ${name} -->\n\`\`\`sh\n([\\s\\S]*?)\`\`\``).exec(everything)?.[1] ?? "";

/** The anchors that GitHub makes of a page's headings. */
const sectionsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    String(title)
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );

/** Runs shell commands as a reader would, and gives what they print. */
async function shell(commands: string): Promise<string> {
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", commands], { cwd: ROOT });
  return stdout;
}

describe("the README and the pages of docs/", { timeout: SHELL }, () => {
  it("name only commands that exist", () => {
    const named = [...everything.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, name]) => name ?? "");
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("name only files that exist", () => {
    const files = [...everything.matchAll(/`((?:shared|infra|functions|test|docs)\/[\w./-]+\.\w+)`/g)].map(
      ([, file]) => file ?? "",
    );
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  });

  it.each(pages)("$name links only to pages and sections that exist", ({ name, text }) => {
    const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "");
    const links = [...prose.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
    const broken = links.filter(([, target, section]) => {
      const file = target ? path.join(ROOT, path.dirname(name), target) : path.join(ROOT, name);
      if (!existsSync(file)) return true;
      return section !== undefined && !sectionsOf(readFileSync(file, "utf8")).includes(section);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it.each([
    ["the retention policy", "retention.md", "retention", retentionTable],
    ["the places of personal data", "privacy.md", "places", placesTable],
  ])("have %s as they are in the code (UPDATE_README=1 npm test writes them)", (_what, name, marker, table) => {
    expectPart(name, marker, table());
  });

  it("name commands that explain themselves", async () => {
    const helps = block("help").trim().split("\n");
    expect(helps.length).toBeGreaterThan(4);
    for (const help of helps) expect(await shell(help), help).toMatch(/npm (run|start)/);
  });
});

describe("the first commands of the README", { timeout: SHELL }, () => {
  let directory: string;
  let host: Host;

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "memocha-readme-"));
    host = await startMemocha({ assembly: await sharedAssembly(), data: directory, port: 0 });
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

  it("answer each request of a person, as docs/privacy.md has them", async () => {
    const variables = {
      PERSON: "alice",
      API: host.url,
      ADMIN: `authorization: Bearer ${await host.token({ user: "operator", admin: true })}`,
      BACKEND: `authorization: Bearer ${await host.token({ user: "backend", actAs: true })}`,
    };
    const setting = Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`);
    const commands = block("requests").replaceAll("curl -s", "curl -s --fail-with-body -w '\\n'");
    const answers = (await shell(setting.join("") + commands)).trim().split("\n");
    const [exported, audited, settings, forgotten, deleted, created, erased] = answers.map((line) =>
      line === "" ? null : JSON.parse(line),
    );
    expect(exported).toMatchObject({ status: "running", id: expect.any(String) });
    expect(audited.data).toEqual(expect.any(Array));
    expect(settings).toEqual({ memory: false });
    expect([forgotten, deleted]).toEqual([null, null]);
    expect(created).toMatchObject({ user_id: "alice", incognito: true });
    expect(erased).toMatchObject({ status: "running" });
  });
});
