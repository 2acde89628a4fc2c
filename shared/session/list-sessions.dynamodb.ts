import { toSeconds } from "../clock.ts";
import { HEADER, headerKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { SESSIONS_BY_ACTIVITY } from "../dynamodb/tables.ts";
import { fromHeaderItem, INCOGNITO } from "./items.dynamodb.ts";
import type { SessionRecord } from "./session.ts";
import type { ListQuery } from "./store.ts";

/** Index entries per query of a filtered list, after the first query did not fill the page. */
const FILTERED_PAGE = 500;

/** Reads one page of a user's sessions. `more` says whether another page follows. */
export async function listSessions(
  table: Table,
  user: string,
  query: ListQuery,
): Promise<{ records: SessionRecord[]; more: boolean }> {
  const records: SessionRecord[] = [];
  let startKey: Item | undefined = query.after && {
    ...headerKey(user, query.after.id),
    owner: user,
    updated_at: query.after.updated_at,
  };
  let size = query.limit + 1;
  do {
    const page = await table.query({ ...listParameters(user, query), Limit: size, ExclusiveStartKey: startKey });
    records.push(...page.items.map((item) => fromHeaderItem({ ...item, sk: HEADER })));
    startKey = page.lastKey;
    size = FILTERED_PAGE;
  } while (records.length <= query.limit && startKey);
  return { records: records.slice(0, query.limit), more: records.length > query.limit };
}

/** Filters on the index by the state of a session at the time `:now`. An incognito session that has expired is in no list. */
const FILTERS = {
  active: "#status IN (:active, :incognito) AND (attribute_not_exists(expires_at) OR expires_at > :now)",
  archived:
    "(#status = :active AND expires_at <= :now) OR (NOT #status IN (:active, :incognito) AND expires_at > :now)",
  all: "#status = :active OR expires_at > :now OR (#status = :incognito AND attribute_not_exists(expires_at))",
} as const;

function listParameters(user: string, { status, pinned, order, from, to, now }: ListQuery) {
  const conditions = ["#owner = :owner"];
  // `to` is exclusive, but BETWEEN is inclusive. Times have milliseconds, so the last one before `to` is one millisecond earlier.
  const last = to && new Date(Date.parse(to) - 1).toISOString();
  if (from && last) conditions.push("updated_at BETWEEN :from AND :last");
  else if (from) conditions.push("updated_at >= :from");
  else if (last) conditions.push("updated_at <= :last");
  return {
    IndexName: SESSIONS_BY_ACTIVITY,
    KeyConditionExpression: conditions.join(" AND "),
    FilterExpression: pinned ? `(${FILTERS[status]}) AND pinned = :pinned` : FILTERS[status],
    ExpressionAttributeNames: { "#owner": "owner", "#status": "status" },
    ExpressionAttributeValues: {
      ":owner": user,
      ":active": "active",
      ":incognito": INCOGNITO,
      ":now": toSeconds(now),
      ...(pinned ? { ":pinned": true } : {}),
      ...(from ? { ":from": from } : {}),
      ...(last ? { ":last": last } : {}),
    },
    ScanIndexForward: order === "asc",
  };
}
