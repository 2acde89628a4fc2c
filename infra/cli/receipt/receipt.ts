import { readFileSync } from "node:fs";
import { failUsage, messageOf, runCommand, UsageError } from "../run-command.ts";
import { checkReceipt, parseReceipt } from "./check-receipt.ts";
import { readKey } from "./read-key.ts";

const usage = `Checks the receipt of an erasure, as GET /v1/erasures/{id} answers it.

  npm run receipt -- FILE [--url URL --token TOKEN | --key KEY]

  FILE            the receipt as JSON; - reads from stdin
  --url URL       the deployment that must have signed the receipt. The command gets the deployment's own copy of the
                  receipt, and compares the keys
  --token TOKEN   a token for --url: of an admin, or of the user who was erased
  --key KEY       the public key of the deployment in base64, or a file that contains the key or another receipt of the
                  deployment

Without --url and --key, the command cannot tell which deployment has signed the receipt, so it prints the key.
`;

await runCommand(
  {
    name: "receipt",
    usage,
    exitCodes: "0 = the signature is good, 1 = it is not, or an error, 2 = wrong usage",
    options: { key: { type: "string" }, url: { type: "string" }, token: { type: "string" } },
    allowPositionals: true,
  },
  async (options, positionals) => {
    const [file] = positionals;
    if (file === undefined || positionals.length > 1) throw new UsageError("Name one file with a receipt.");
    const receipt = parseReceipt(readText(file));
    const { isGood, text } = checkReceipt(receipt, await readKey(options, receipt));
    process.stdout.write(`${text}\n`);
    return isGood ? 0 : 1;
  },
);

function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    return failUsage(new Error(`The file ${file} cannot be read: ${messageOf(error)}`));
  }
}
