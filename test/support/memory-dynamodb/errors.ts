/** Errors with the names and members of the SDK's errors. */
import { marshall } from "@aws-sdk/util-dynamodb";
import type { Item } from "./expressions.ts";

class ServiceError extends Error {
  constructor(name: string, message: string, members: object = {}) {
    super(message);
    this.name = name;
    Object.assign(this, { $fault: "client", $metadata: {} }, members);
  }
}

export const invalid = (message: string): Error => new ServiceError("ValidationException", message);

export const conditionFailed = (item: Item | undefined): Error =>
  new ServiceError("ConditionalCheckFailedException", "The conditional request failed", wireItem(item));

/** `failed`: for each action `null`, or the item on which its condition failed. */
export const transactionCanceled = (failed: readonly ({ item: Item | undefined } | null)[]): Error =>
  new ServiceError("TransactionCanceledException", "Transaction cancelled", {
    CancellationReasons: failed.map((reason) =>
      reason ? { Code: "ConditionalCheckFailed", ...wireItem(reason.item) } : { Code: "None" },
    ),
  });

/** The document client does not unmarshall items inside errors. */
const wireItem = (item: Item | undefined) => (item ? { Item: marshall(item) } : {});
