import { readFileSync } from "node:fs";
import { runCommand, UsageError } from "../run-command.ts";
import { checkReceipt } from "./check-receipt.ts";

const usage = `Checks the receipt of an erasure, as GET /v1/erasures/{id} answers it.

  npm run receipt -- FILE [--key KEY]

  FILE        the receipt as JSON; - reads from stdin
  --key KEY   the public key of the deployment, as another of its receipts has it in signature.public_key
`;

await runCommand(
  {
    name: "receipt",
    usage,
    exitCodes: "0 = the signature is good, 1 = it is not, or an error, 2 = wrong usage",
    options: { key: { type: "string" } },
    allowPositionals: true,
  },
  async ({ key }, positionals) => {
    const [file] = positionals;
    if (file === undefined || positionals.length > 1) throw new UsageError("Name one file with a receipt.");
    const { isGood, text } = checkReceipt(readFileSync(file === "-" ? 0 : file, "utf8"), key);
    process.stdout.write(`${text}\n`);
    return isGood ? 0 : 1;
  },
);
