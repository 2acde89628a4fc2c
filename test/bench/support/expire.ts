import { DeleteCommand } from "@aws-sdk/lib-dynamodb";
import { headerKey } from "../../../shared/dynamodb/keys.ts";
import { fromHeaderItem } from "../../../shared/session/items.dynamodb.ts";
import type { SessionId, SessionRecord } from "../../../shared/session/session.ts";
import type { Engines } from "../../support/engines.ts";

/** Deletes a session's header as DynamoDB's TTL does, and returns the deleted item. */
export async function deleteHeader(engines: Engines, { user, id }: SessionId): Promise<SessionRecord> {
  const { Attributes } = await engines.dynamodb.send(
    new DeleteCommand({ TableName: engines.tableName, Key: headerKey(user, id), ReturnValues: "ALL_OLD" }),
  );
  return fromHeaderItem(Attributes ?? {});
}
