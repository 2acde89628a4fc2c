import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkReceipt, parseReceipt } from "../../../../infra/cli/receipt/check-receipt.ts";
import { listen } from "../../../../infra/local/listen.ts";
import { createPrivacyKey } from "../../../../shared/privacy/receipt.ts";

const at = "2026-11-21T12:00:00.000Z";
const stores = [{ name: "messages", found: 2, erased: 2, remaining: 0, checked_at: at }];
const remains = [{ name: "backups", why: "Backups cannot be changed.", until: at }];
const plain = {
  id: "0192f3c1-7a3b-7c1d-8e2f-000000000001",
  status: "complete",
  subject: "a hash",
  requested_at: at,
  completed_at: at,
  stores,
  remains,
} as const;
const receipt = createPrivacyKey("a secret").sign({ ...plain, stores: [...stores], remains: [...remains] });
const check = (value: unknown, key?: string) => checkReceipt(parseReceipt(JSON.stringify(value)), key);

test("a good receipt is confirmed, also when it was reformatted or its fields are in another order", () => {
  for (const text of [
    JSON.stringify(receipt),
    JSON.stringify(receipt, null, 2),
    JSON.stringify(Object.fromEntries(Object.entries(receipt).reverse())),
  ]) {
    const { isGood, text: words } = checkReceipt(parseReceipt(text), receipt.signature?.public_key);
    expect([isGood, words]).toEqual([true, expect.stringContaining("The key is that of the deployment.")]);
    expect(words).toMatch(/messages +2 +2 +0/);
  }
});

test("a receipt with any field changed is refused", () => {
  for (const change of [
    { subject: "other" },
    { completed_at: "2026-11-21T13:00:00.000Z" },
    { stores: [] },
    { stores: [{ ...stores[0], remaining: 1 }] },
    { remains: [] },
  ]) {
    const { isGood, text } = check({ ...receipt, ...change });
    expect([isGood, text]).toEqual([
      false,
      "The signature does not match: the receipt was changed after it was signed.",
    ]);
  }
});

test("a receipt of another deployment is named as such", () => {
  const other = createPrivacyKey("another secret").sign({ ...plain, stores: [...stores], remains: [...remains] });
  const { isGood, text } = check(other, receipt.signature?.public_key);
  expect([isGood, text]).toEqual([false, expect.stringContaining("another deployment signed it")]);
  // A signature with the right key's name but by another key.
  const signature = { ...other.signature, public_key: receipt.signature?.public_key };
  expect(check({ ...other, signature }).isGood).toBe(false);
});

test.each([
  ["running", { ...plain, status: "running" }, "still running"],
  ["unsigned", plain, "no signature"],
  ["with a broken key", { ...receipt, signature: { ...receipt.signature, public_key: "AAAA" } }, "does not match"],
  ["of another form", { hello: 1 }, "Not a receipt: id: "],
])("a receipt that is %s is refused, and the text says why", (_what, value, words) => {
  expect(check(value)).toEqual({ isGood: false, text: expect.stringContaining(words) });
});

describe("the command", () => {
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-receipt-"));
  const fileOf = (name: string, value: unknown) => {
    writeFileSync(path.join(directory, name), typeof value === "string" ? value : JSON.stringify(value));
    return path.join(directory, name);
  };
  const file = fileOf("receipt.json", receipt);
  const forged = fileOf("forged.json", createPrivacyKey("another").sign({ ...plain, stores: [], remains: [] }));
  const key = receipt.signature?.public_key ?? "";
  let url: string;
  let close: () => Promise<void>;

  beforeAll(async () => {
    // A deployment that has this one receipt.
    const server = createServer(({ url: path, headers }, response) => {
      const isKnown = path === `/dev/v1/erasures/${receipt.id}` && headers.authorization === "Bearer good";
      response.writeHead(isKnown ? 200 : headers.authorization === "Bearer good" ? 404 : 401);
      response.end(isKnown ? JSON.stringify(receipt) : "{}");
    });
    const listening = await listen(server, 0);
    url = `${listening.url}/dev/`;
    close = listening.close;
  });
  afterAll(async () => {
    await close();
    rmSync(directory, { recursive: true });
  });

  /** Runs the command. Returns its exit code, and what it prints. */
  async function run(...args: string[]): Promise<[code: number, text: string]> {
    try {
      const { stdout } = await promisify(execFile)(process.execPath, ["infra/cli/receipt/receipt.ts", ...args]);
      return [0, stdout];
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return [code, stdout + stderr];
    }
  }
  const ends = (code: number, text: string) => [code, expect.stringContaining(text)];

  test("ends with 0 for a good receipt and with 1 for a bad one", async () => {
    expect(await run(file)).toEqual(ends(0, `pass --url or --key.\n${key}`));
    expect(await run(fileOf("bad.json", { ...receipt, subject: "other" }))).toEqual(ends(1, "does not match"));
    expect(await run(fileOf("none.json", "{"))).toEqual(ends(1, "Not a receipt: the file is not JSON."));
    expect(await run("--help")).toEqual(ends(0, "npm run receipt -- FILE"));
  });

  test("compares with a key, which is given, in a file, or in another receipt of the deployment", async () => {
    for (const given of [key, fileOf("key.txt", `${key}\n`), file]) {
      expect(await run(file, "--key", given)).toEqual(ends(0, "The key is that of the deployment."));
      expect(await run(forged, "--key", given)).toEqual(ends(1, "another deployment signed it"));
    }
  });

  test("compares with the key of the deployment's own copy", async () => {
    expect(await run(file, "--url", url, "--token", "good")).toEqual(ends(0, "The key is that of the deployment."));
    expect(await run(forged, "--url", url, "--token", "good")).toEqual(ends(1, "another deployment signed it"));
    const unknown = fileOf("unknown.json", { ...receipt, id: "0192f3c1-7a3b-7c1d-8e2f-000000000002" });
    expect(await run(unknown, "--url", url, "--token", "good")).toEqual(ends(1, "has no such receipt"));
    expect(await run(file, "--url", url, "--token", "bad")).toEqual(ends(1, "answered 401"));
    expect(await run(file, "--url", "http://127.0.0.1:1", "--token", "good")).toEqual(ends(1, "does not answer"));
  });

  test.each([
    [["--key", "AAAA"], "--key must be a public key"],
    [["--url", "http://127.0.0.1:1"], "--url and --token go together"],
    [["--token", "good"], "--url and --token go together"],
    [["--url", "here", "--token", "good"], "--url must be the URL of an API"],
    [["--url", "http://127.0.0.1:1", "--token", "good", "--key", "AAAA"], "either --key or --url"],
    [["other.json"], "Name one file"],
  ])("ends with 2 and says what is wrong with %j", async (args, words) => {
    expect(await run(file, ...args)).toEqual(ends(2, words));
  });

  test("ends with 2 when the file cannot be read", async () => {
    expect(await run(path.join(directory, "nothing.json"))).toEqual(ends(2, "cannot be read"));
  });
});
