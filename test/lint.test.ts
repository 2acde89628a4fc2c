import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

const forbidden = [
  "export const now = Date.now();",
  "export const clock = Date.now;",
  'export const now = Date["now"]();',
  "export const { now } = Date;",
  "export const now = new Date();",
  "// biome-ignore format: as one may write it\nexport const now = new Date;",
  "export const now = Date();",
  "export const now = performance.now();",
  "export const now = globalThis.performance.now();",
  'export { performance } from "node:perf_hooks";',
  'export * from "node:perf_hooks";',
  'export * from "node:timers";',
  "export const now = process.hrtime.bigint();",
  "export const up = process.uptime();",
  "setTimeout(() => undefined, 1);",
  "export const later = setTimeout;",
  "globalThis.setTimeout(() => undefined, 1);",
  "setInterval(() => undefined, 1);",
  "setImmediate(() => undefined);",
  'import { setTimeout as sleep } from "node:timers/promises";\nawait sleep(1);',
  'import timers from "timers";\ntimers.setTimeout(() => undefined, 1);',
  'export const timers = await import("node:timers/promises");',
  "export const signal = AbortSignal.timeout(1);",
  "export const chance = Math.random();",
  "export const id = crypto.randomUUID();",
  "export const bytes = crypto.getRandomValues(new Uint8Array(8));",
  'import { createHash, randomUUID } from "node:crypto";\nexport const id = createHash("sha256").update(randomUUID());',
  'import { randomBytes as bytes } from "node:crypto";\nexport const id = bytes(8);',
  'import crypto from "node:crypto";\nexport const id = crypto.randomUUID();',
  'import * as hashes from "node:crypto";\nexport const id = hashes.randomBytes(8);',
  'import { v7 } from "uuid";\nexport const id = v7();',
];

const allowed = [
  "export const at = new Date(5).toISOString();",
  'export const at = Date.parse("2026-11-21T12:00:00.000Z") + Date.UTC(2026, 10, 21);',
  "export const isDate = (value: unknown): value is Date => value instanceof Date;",
  'import { createHash } from "node:crypto";\nexport const hash = createHash("sha256");',
  'export const format = "uuid";',
];

/** File, then what it imports. */
const forbiddenImports: [file: string, imported: string][] = [
  ["shared/session/a.ts", "../memory/memory.ts"],
  ["shared/session/b.dynamodb.ts", "../chat/turn.ts"],
  ["shared/memory/a.ts", "../chat/turn.ts"],
  ["shared/chat/protocols/a.ts", "../../http/problem.ts"],
  ["shared/no-row-yet/a.ts", "../session/schema.ts"],
  ["shared/hash.ts", "./session/schema.ts"],
  ["shared/memory/b.ts", "../../functions/compose.ts"],
  ["shared/memory/c.ts", "../../infra/functions.ts"],
  ["shared/memory/d.ts", "../../test/support/start-api.ts"],
  ["shared/memory/e.ts", "@aws-sdk/client-dynamodb"],
  ["shared/llm/a.ts", "openai/resources"],
  ["functions/jobs/a.ts", "@aws-sdk/lib-dynamodb"],
  ["functions/jobs/b.ts", "../../infra/functions.ts"],
  ["functions/jobs/c.ts", "../../shared/http/operations.ts"],
  ["infra/stacks/a.ts", "../../functions/compose.ts"],
  ["infra/cli/top/a.ts", "../../local/start-host.ts"],
  ["infra/stage.ts", "./local/start-host.ts"],
  ["infra/local/a.ts", "../functions.ts"],
  ["infra/local/s3/a.ts", "../../functions.ts"],
  ["infra/local/s3/deep/a.ts", "../../../functions.ts"],
  ["web/chat/a.tsx", "../../functions/compose.ts"],
];
const allowedImports: [file: string, imported: string][] = [
  ["shared/memory/f.ts", "../session/schema.ts"],
  ["shared/memory/g.ts", "../retention/policy.ts"],
  ["shared/memory/h.ts", "../errors.ts"],
  ["shared/chat/protocols/b.ts", "../../session/schema.ts"],
  ["shared/chat/protocols/c.ts", "../turn.ts"],
  ["shared/http/c.ts", "./operations/operation.ts"],
  ["shared/memory/i.dynamodb.ts", "@aws-sdk/lib-dynamodb"],
  ["shared/llm/b.openai.ts", "openai"],
  ["functions/jobs/d.ts", "../../shared/session/schema.ts"],
  ["functions/sessions/a.ts", "../../shared/http/operations/session-operations.ts"],
  ["infra/stacks/b.ts", "../functions.ts"],
  ["infra/cli/top/b.ts", "../../local/index.ts"],
  ["infra/local/s3/b.ts", "../log.ts"],
  ["web/chat/b.tsx", "../../shared/http/operations.ts"],
  ["test/infra/a.ts", "../../functions/compose.ts"],
];

/** Where the machine may be asked. */
const providers = ["shared/clock.ts", "shared/random.ts", "functions/compose.ts"];

let directory: string;
/** The files in which the rule found something, in a project of nothing but the snippets. */
let found: Set<string>;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "memocha-lint-"));
  for (const name of [".biome.jsonc", ".biome", ".gitignore"]) {
    cpSync(path.join(root, name), path.join(directory, name), { recursive: true });
  }
  for (const folder of ["shared/session", "functions/jobs"]) {
    for (const [n, text] of forbidden.entries()) write(`${folder}/forbidden-${n}.ts`, text);
    for (const [n, text] of allowed.entries()) write(`${folder}/allowed-${n}.ts`, text);
  }
  for (const name of [...providers, "shared/session/clock.ts", "functions/jobs/random.ts"]) {
    write(name, forbidden[0] ?? "");
  }
  for (const [name, imported] of [...forbiddenImports, ...allowedImports]) write(name, `import "${imported}";`);
  const biome = path.join(root, "node_modules/.bin/biome");
  const { stdout, error } = spawnSync(biome, ["lint", "--reporter=github", "--max-diagnostics=none"], {
    cwd: directory,
    encoding: "utf8",
  });
  if (error) throw error;
  const files = stdout.matchAll(/title=plugin,file=([^,]+),/g);
  found = new Set([...files].map(([, file]) => path.relative(directory, path.resolve(directory, file ?? ""))));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(name: string, text: string): void {
  mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
  writeFileSync(path.join(directory, name), `${text}\n`);
}

describe("lint, in shared/ and functions/,", () => {
  it.each(forbidden.map((text, n) => [text, n] as const))("refuses `%s`", (_text, n) => {
    expect(found).toContain(`shared/session/forbidden-${n}.ts`);
    expect(found).toContain(`functions/jobs/forbidden-${n}.ts`);
  });

  it.each(allowed.map((text, n) => [text, n] as const))("allows `%s`", (_text, n) => {
    expect(found).not.toContain(`shared/session/allowed-${n}.ts`);
    expect(found).not.toContain(`functions/jobs/allowed-${n}.ts`);
  });

  it("lets the files ask the machine that provide time and randomness, and only these", () => {
    for (const name of providers) expect(found).not.toContain(name);
    expect(found).toContain("shared/session/clock.ts");
    expect(found).toContain("functions/jobs/random.ts");
  });
});

describe("lint of imports", () => {
  it.each(forbiddenImports)("refuses that %s imports %s", (name) => expect(found).toContain(name));

  it.each(allowedImports)("lets %s import %s", (name) => expect(found).not.toContain(name));
});

it("no folder of shared/ imports itself through other folders", () => {
  const shared = path.join(root, "shared");
  const imports = new Map<string, Set<string>>();
  for (const file of globSync("*/**/*.ts", { cwd: shared })) {
    const folder = topOf(file);
    const known = imports.get(folder) ?? new Set();
    for (const [, target = ""] of readFileSync(path.join(shared, file), "utf8").matchAll(
      /(?:from|import\() ?"(\.[^"]+)"/g,
    )) {
      const other = topOf(path.join(path.dirname(file), target));
      if (other !== folder && !other.endsWith(".ts")) known.add(other);
    }
    imports.set(folder, known);
  }
  // Remove folders that import no remaining folder, until nothing changes: the rest is part of a circle.
  for (let left = -1; left !== imports.size; ) {
    left = imports.size;
    for (const [folder, known] of imports) if (![...known].some((other) => imports.has(other))) imports.delete(folder);
  }
  expect([...imports.keys()]).toEqual([]);
});

it("a base name stands at most twice outside functions/", () => {
  const sources = new Set(globSync("{functions,infra,shared,web}/**/*.{ts,tsx}", { cwd: root }).map(stemOf));
  const files = globSync("{infra,shared,test,web}/**/*.{css,mjs,ts,tsx}", { cwd: root });
  const byName = Map.groupBy(
    // A test has the name of the source that it mirrors: the two count once.
    files.filter((file) => !(file.endsWith(".test.ts") && sources.has(stemOf(path.relative("test", file))))),
    (file) => path.basename(file).replace(/(\.test)?\.\w+$/, ""),
  );
  expect([...byName.values()].filter((same) => same.length > 2)).toEqual([]);
});

/** The path without the endings of the file's name: "shared/archive/archive" for "shared/archive/archive.s3.ts". */
const stemOf = (file: string): string => file.replace(/\.[^/]*$/, "");

const topOf = (file: string): string => file.split(path.sep)[0] ?? "";
