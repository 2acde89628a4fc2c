import { createPublicKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { receiptSchema } from "../../../shared/privacy/erasure.ts";
import { messageOf, UsageError } from "../run-command.ts";
import { type ParsedReceipt, parseReceipt } from "./check-receipt.ts";

interface KeyOptions {
  key?: string | undefined;
  url?: string | undefined;
  token?: string | undefined;
}

/**
 * Finds the public key of a deployment: it is given, in a file, or in the deployment's own copy of a receipt. Undefined = no option asks for
 * it. Throws a `UsageError` when the options do not fit together, and an Error when the deployment does not answer with the receipt.
 */
export async function readKey({ key, url, token }: KeyOptions, receipt: ParsedReceipt): Promise<string | undefined> {
  if (key !== undefined && url !== undefined) throw new UsageError("Give either --key or --url.");
  if ((url === undefined) !== (token === undefined)) throw new UsageError("--url and --token go together.");
  if (key !== undefined) return keyIn(existsSync(key) ? readFileSync(key, "utf8") : key);
  if (url === undefined || token === undefined || typeof receipt === "string") return undefined;
  return keyOf(url, token, receipt.id);
}

function keyIn(text: string): string {
  const receipt = parseReceipt(text);
  const key = typeof receipt === "string" ? text.trim() : (receipt.signature?.public_key ?? "");
  try {
    createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" });
  } catch {
    throw new UsageError("--key must be a public key in base64, or a file with one or with a signed receipt.");
  }
  return key;
}

async function keyOf(url: string, token: string, id: string): Promise<string> {
  if (!URL.canParse(url)) throw new UsageError(`--url must be the URL of an API, not "${url}"`);
  const address = `${url.replace(/\/$/, "")}/v1/erasures/${id}`;
  const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } }).catch((cause: unknown) => {
    throw new Error(`The deployment at ${url} does not answer: ${messageOf(cause)}`, { cause });
  });
  if (answer.status === 404)
    throw new Error(`The deployment at ${url} has no such receipt, or the token may not read it.`);
  if (!answer.ok) throw new Error(`GET ${address} answered ${answer.status}.`);
  const { data } = receiptSchema.safeParse(await answer.json());
  if (!data?.signature) throw new Error(`The deployment at ${url} has not signed this receipt.`);
  return data.signature.public_key;
}
