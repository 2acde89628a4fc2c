import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { checkReceipt } from "../../../../infra/cli/receipt/check-receipt.ts";
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
const check = (value: unknown, key?: string) => checkReceipt(JSON.stringify(value), key);

test("a good receipt is confirmed, also when it was formatted anew or its fields are in another order", () => {
  for (const text of [
    JSON.stringify(receipt),
    JSON.stringify(receipt, null, 2),
    JSON.stringify(Object.fromEntries(Object.entries(receipt).reverse())),
  ]) {
    const { isGood, text: words } = checkReceipt(text, receipt.signature?.public_key);
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

test("the command ends with 0 for a good receipt and with 1 for a bad one", () => {
  const run = (input: string) => execFileSync(process.execPath, ["infra/cli/receipt/receipt.ts", "-"], { input });
  expect(run(JSON.stringify(receipt)).toString()).toContain("The signature is good");
  expect(() => run("{}")).toThrow(expect.objectContaining({ status: 1 }));
});
