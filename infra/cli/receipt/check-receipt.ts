import { type Receipt, receiptSchema } from "../../../shared/privacy/erasure.ts";
import { isSigned } from "../../../shared/privacy/receipt.ts";
import { alignColumns } from "../align-columns.ts";

/** The verdict on a receipt, and the text that explains it. */
interface Verdict {
  isGood: boolean;
  text: string;
}

/** A receipt, or why a text is none. */
export type ParsedReceipt = Receipt | string;

/** Checks a receipt. `key` is the public key of the deployment that must have signed it. */
export function checkReceipt(receipt: ParsedReceipt, key?: string): Verdict {
  if (typeof receipt === "string") return { isGood: false, text: `Not a receipt: ${receipt}.` };
  const { status, signature } = receipt;
  if (status === "running")
    return { isGood: false, text: "The erasure is still running. Its receipt has no signature yet." };
  if (!signature) return { isGood: false, text: "The receipt has no signature, so its origin is unknown." };
  if (!isSigned(receipt)) {
    return { isGood: false, text: "The signature does not match: the receipt was changed after it was signed." };
  }
  if (key !== undefined && key !== signature.public_key) {
    return {
      isGood: false,
      text: `The receipt is whole, but another deployment signed it: its key is ${signature.public_key}.`,
    };
  }
  const whose =
    key === undefined
      ? `The receipt carries the key below. To know whose it is, pass --url or --key.\n${signature.public_key}`
      : "The key is that of the deployment.";
  return {
    isGood: true,
    text: `The signature is good: nothing was changed since it was signed.\n${whose}\n\n${summarize(receipt)}`,
  };
}

/** Reads a receipt from JSON. */
export function parseReceipt(text: string): ParsedReceipt {
  try {
    const { success, data, error } = receiptSchema.safeParse(JSON.parse(text));
    if (success) return data;
    const [issue] = error.issues;
    return `${issue?.path.join(".") || "the file"}: ${issue?.message}`;
  } catch {
    return "the file is not JSON";
  }
}

function summarize({ id, subject, requested_at, completed_at, stores, remains }: Receipt): string {
  const counts = stores.map(({ name, found, erased, remaining }) => [name, ...[found, erased, remaining].map(String)]);
  const rests = remains.map(({ name, until }) => [name, until === null ? "stays" : `until ${until}`]);
  return [
    `Erasure ${id} of the user with the hash ${subject}`,
    `requested ${requested_at}, complete ${completed_at}`,
    "",
    ...alignColumns([["store", "found", "erased", "remaining"], ...counts], [1, 2, 3]),
    "",
    ...alignColumns([["not reached at once", ""], ...rests], []),
    "",
  ].join("\n");
}
