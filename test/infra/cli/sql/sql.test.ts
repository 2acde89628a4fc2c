import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startS3 } from "../../../../infra/local/s3/s3-server.ts";
import { namedQueries } from "../../../../infra/stacks/named-queries.ts";
import { createLake } from "../../../../shared/lake/lake.s3.ts";
import type { Row } from "../../../../shared/lake/tables.ts";

const scratch = mkdtempSync(path.join(tmpdir(), "memocha-sql-"));
const credentials = { accessKeyId: "local", secretAccessKey: "local" };
const today = new Date().toISOString().slice(0, 10);
let close: () => Promise<void>;

/** Data directories of hosts: one whose lake has three messages, one whose lake is empty, one that is not running. */
const [full, empty, stopped] = ["full", "empty", "stopped"].map((name) => path.join(scratch, name)) as [
  string,
  string,
  string,
];

beforeAll(async () => {
  const server = await startS3({ directory: path.join(scratch, "s3"), ...credentials, log: () => undefined });
  const s3 = new S3Client({ endpoint: server.url, region: "us-east-1", credentials, forcePathStyle: true });
  close = async () => {
    s3.destroy();
    await server.close();
  };
  for (const directory of [full, empty, stopped]) {
    const ArchiveBucketName = path.basename(directory);
    // Larger than the largest process id of Linux.
    const host = {
      pid: directory === stopped ? 2 ** 22 + 1 : process.pid,
      url: "",
      endpoints: { s3: server.url },
      outputs: { ArchiveBucketName, LakeContent: "full" },
    };
    mkdirSync(directory);
    writeFileSync(path.join(directory, "host.json"), JSON.stringify(host));
    await s3.send(new CreateBucketCommand({ Bucket: ArchiveBucketName }));
  }
  const writer = createLake(s3, "full").begin("messages", today, "test", null);
  for (const [position, content] of ['a "refund", please', "of course", "Refund ready"].entries())
    await writer.add(message(position, content));
  expect(await writer.commit()).toBe(true);
});
afterAll(async () => {
  await close();
  rmSync(scratch, { recursive: true, force: true });
});

const message = (position: number, content: string): Row<"messages"> => ({
  user_hash: "u",
  session_key: "k",
  session_id: "s",
  message_id: `m${position}`,
  parent_id: null,
  is_current: true,
  position,
  role: "user",
  name: null,
  content,
  parts: null,
  content_chars: content.length,
  created_at: Date.parse(`${today}T00:00:00.000Z`) + position,
  model: null,
  input_tokens: null,
  cached_input_tokens: null,
  output_tokens: null,
  cost_usd: null,
  status: null,
  latency_ms: null,
  metadata: null,
});

/** Runs the command. `input`: its standard input. `hangUp`: close its output after the first chunk. */
async function sql(args: string[], { data = full, input = "", hangUp = false } = {}) {
  const child = spawn(process.execPath, ["infra/cli/sql/sql.ts", "--data", data, ...args]);
  child.stdin.on("error", () => undefined).end(input);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    output += piece;
    if (hangUp) child.stdout.destroy();
  });
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
  return { code, output, errors };
}

describe("npm run sql", () => {
  it("prints an aligned table, JSON or CSV", async () => {
    const query = "select position, content from messages order by 1 limit 2";
    const [table, json, csv] = await Promise.all([sql([query]), sql([query, "--json"]), sql(["--csv", query])]);
    const lines = [
      "position  content",
      "--------  ------------------",
      '       0  a "refund", please',
      "       1  of course",
      "(2 rows)",
      "",
    ];
    expect(table).toEqual({ code: 0, errors: "", output: lines.join("\n") });
    expect(json.output).toBe(
      '{"position":0,"content":"a \\"refund\\", please"}\n{"position":1,"content":"of course"}\n',
    );
    expect(csv.output).toBe('position,content\r\n0,"a ""refund"", please"\r\n1,of course\r\n');
  });

  it("runs SQL from a file, from standard input, and named queries with parameters", async () => {
    const file = path.join(scratch, "question.sql");
    writeFileSync(file, "select count(*) as n\nfrom messages;\n");
    const [fromFile, fromInput, named] = await Promise.all([
      sql(["--csv", "--file", file]),
      sql(["--csv", "--file", "-"], { input: "select max(position) as n from messages" }),
      sql(["--csv", "--named", "messages-matching", "--param", "REFUND"]),
    ]);
    expect(fromFile.output).toBe("n\r\n3\r\n");
    expect(fromInput.output).toBe("n\r\n2\r\n");
    expect(named.output.split("\r\n").map((line) => line.split(",").at(-1))).toEqual([
      "content",
      "Refund ready",
      ' please"',
      "",
    ]);
  });

  it("prints the result of each statement that has rows", async () => {
    const query = "select 1 as one; create temp table t as select 2 as two; select two from t";
    const [table, json, csv] = await Promise.all([sql([query]), sql([query, "--json"]), sql([query, "--csv"])]);
    expect(table.output).toBe("one\n---\n  1\n(1 row)\n\ntwo\n---\n  2\n(1 row)\n");
    expect(json.output).toBe('{"one":1}\n{"two":2}\n');
    expect(csv.output).toBe("one\r\n1\r\ntwo\r\n2\r\n");
  });

  it("prints the results before the statement that fails", async () => {
    const { code, output, errors } = await sql(["select 1 as one; select * from nothing", "--csv"]);
    expect({ code, output }).toEqual({ code: 1, output: "one\r\n1\r\n" });
    expect(errors).toContain("Table with name nothing does not exist");
  });

  it("keeps a U+FEFF at the beginning of a text, and skips one at the beginning of a file of SQL", async () => {
    const file = path.join(scratch, "marked.sql");
    writeFileSync(file, "\ufeffselect chr(65279) || 'x' as short, {'a': chr(65279) || 'a text of 20 letters'} as deep");
    const { output } = await sql(["--json", "--file", file]);
    expect(JSON.parse(output)).toEqual({ short: "\ufeffx", deep: { a: "\ufeffa text of 20 letters" } });
  });

  it("lists the named queries", async () => {
    const { output } = await sql(["--list"], { data: stopped });
    expect(output.trimEnd().split("\n")).toEqual(
      namedQueries().map(({ name, description }) => `${name.padEnd(23)}${description}`),
    );
  });

  it("has empty tables and views before anything is archived", async () => {
    const tables = ["messages", "messages_all", "archive_lines", "events"];
    const counts = tables.map((table) => `(select count(*) from ${table}) as ${table}`);
    const { code, output } = await sql(["--json", `select ${counts.join(", ")}`], { data: empty });
    expect(JSON.parse(output)).toEqual(Object.fromEntries(tables.map((table) => [table, 0])));
    expect(code).toBe(0);
  });

  it.concurrent.each([
    [
      "SQL that is wrong",
      ["selct 1"],
      1,
      /^Failed to extract statements: Parser Error: syntax error at or near "selct"/,
    ],
    ["a table that is not there", ["select * from sessions"], 1, /Table with name sessions does not exist/],
    ["a file that is not there", ["--file", "none.sql"], 1, /ENOENT.*none\.sql/],
    [
      "a query without its parameter",
      ["--named", "messages-matching"],
      1,
      /has 1 parameter, but --param was given 0 times/,
    ],
    [
      "a name that no query has",
      ["--named", "sessions"],
      2,
      /There is no query named "sessions". The names are active-users-per-day, /,
    ],
    ["two queries", ["select 1", "--named", "sessions-per-day"], 2, /Give one query/],
    ["an option that is not there", ["--xml"], 2, /'--xml'[\s\S]*npm run sql -- --help/],
  ])("says what is wrong with %s, on standard error", async (_what, args, code, problem) => {
    const result = await sql(args);
    expect(result).toEqual({ code, output: "", errors: expect.stringMatching(problem) });
    expect(result.errors).not.toContain("    at ");
  });

  it("says what to do when no host is running", async () => {
    const problem = `No local host is running on ${stopped}. Start one (npm start), or name its directory (--data DIR).\n`;
    expect(await sql(["select 1"], { data: stopped })).toEqual({ code: 1, output: "", errors: problem });
  });

  it("ends quietly when the reader of its output closes the pipe", async () => {
    const { code, output, errors } = await sql(["--csv", "select * from range(1000000)"], { hangUp: true });
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    expect(output).toMatch(/^range\r\n0\r\n1\r\n/);
  });

  it("runs each statement from a pipe, continues after a wrong one, and exits with 1", async () => {
    const input = "select count(*) as n\nfrom messages;\nselct 1;\nselect 'the ' ||\n'last' as word";
    const { code, output, errors } = await sql(["--csv"], { input });
    expect(output).toBe("n\r\n3\r\nword\r\nthe last\r\n");
    expect(errors).toContain('syntax error at or near "selct"');
    expect(code).toBe(1);
  });
});
