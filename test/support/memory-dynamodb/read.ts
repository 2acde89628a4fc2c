/** Query and SearchVectors over a table in memory. */
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { REPLICA } from "./create-views.ts";
import { invalid } from "./errors.ts";
import { compileCondition, type Item, type Placeholders } from "./expressions.ts";
import { type Expressions, placeholdersOf, project, type TableData } from "./table-data.ts";
import { itemSize } from "./values.ts";

/** Maximum of bytes that one Query reads. */
const MAX_PAGE = 1024 * 1024;

type QueryInput = Expressions & {
  IndexName?: string | undefined;
  ConsistentRead?: boolean | undefined;
  ScanIndexForward?: boolean | undefined;
  Limit?: number | undefined;
  Select?: string | undefined;
  ExclusiveStartKey?: Item | undefined;
};

export function query(table: TableData, input: QueryInput) {
  const { spec, views } = table;
  const { IndexName, ExclusiveStartKey: start, KeyConditionExpression = "" } = input;
  const placeholders = placeholdersOf(input);
  const index = IndexName === undefined ? spec : spec.indexes[IndexName];
  if (!index) throw invalid(`The table does not have the specified index: ${IndexName}`);
  if (IndexName !== undefined && input.ConsistentRead) {
    throw invalid("Consistent reads are not supported on global secondary indexes");
  }
  const pk = partitionIn(KeyConditionExpression, index.partitionKey, placeholders.value);
  const candidates =
    IndexName === undefined && input.ConsistentRead
      ? table.partition(pk)
      : views.view(IndexName ?? REPLICA).partition(pk);
  const ordered = input.ScanIndexForward === false ? candidates.toReversed() : candidates;
  const isWanted = compileCondition(KeyConditionExpression);
  const isKept = input.FilterExpression === undefined ? () => true : compileCondition(input.FilterExpression);

  const place = (item: Item) => [item[index.sortKey], item[spec.partitionKey], item[spec.sortKey]].map(String);
  const isAfterStart = (item: Item) => {
    if (!start) return true;
    const order = compareAll(place(item), place(start));
    return input.ScanIndexForward === false ? order < 0 : order > 0;
  };
  const items: Item[] = [];
  let evaluated = 0;
  let bytes = 0;
  let last: Item | undefined;
  for (const item of ordered) {
    if (!isWanted(item, placeholders) || !isAfterStart(item)) continue;
    if (evaluated === input.Limit || bytes >= MAX_PAGE) break;
    evaluated++;
    bytes += itemSize(item);
    last = item;
    if (isKept(item, placeholders)) items.push(item);
  }
  const isFull = evaluated === input.Limit || bytes >= MAX_PAGE;
  const keys = new Set([spec.partitionKey, spec.sortKey, index.partitionKey, index.sortKey]);
  const attributes =
    IndexName === undefined ? undefined : new Set([...keys, ...(spec.indexes[IndexName]?.nonKeyAttributes ?? [])]);
  const visible = (item: Item) => (attributes ? only(item, attributes) : item);
  return {
    Count: items.length,
    ScannedCount: evaluated,
    ...(input.Select === "COUNT" ? {} : { Items: items.map((item) => project(visible(item), input, placeholders)) }),
    ...(isFull && last ? { LastEvaluatedKey: only(last, keys) } : {}),
  };
}

/** Reads the partition in a key condition: the value that its key must equal. */
function partitionIn(condition: string, key: string, lookUp: (token: string) => unknown): string {
  const match = /^\s*(#?\w+) = (:\w+)/.exec(condition);
  if (!match?.[1] || !match[2]) throw invalid(`Query condition missed key schema element: ${key}`);
  return String(lookUp(match[2]));
}

type SearchInput = Expressions & {
  IndexName?: string | undefined;
  SearchVector?: { N?: string }[] | undefined;
  TopK?: number | undefined;
};

/** Finds the nearest vectors by exact cosine distance. It takes and returns marshalled attribute values. */
export function searchVectors(table: TableData, wire: SearchInput) {
  const values = wire.ExpressionAttributeValues;
  const input = { ...wire, ...(values ? { ExpressionAttributeValues: unmarshall(values as never) } : {}) };
  const { IndexName = "", SearchVector = [], SearchConditionExpression = "", TopK = 0 } = input;
  const index = table.spec.vectorIndexes?.[IndexName];
  if (!index || TopK < 1 || TopK > 100) throw invalid("the search is not valid");
  const placeholders = placeholdersOf(input);
  const condition = conjunction(SearchConditionExpression, placeholders);
  const partition = condition.get(index.partitionKey);
  if (partition === undefined) throw invalid(`the search must name ${index.partitionKey}`);
  for (const name of condition.keys()) {
    if (name !== index.partitionKey && !index.filters.includes(name)) throw invalid(`the index has no ${name}`);
  }
  const wanted = SearchVector.map(({ N }) => Number(N));
  const { partitionKey, sortKey } = table.spec;
  const attributes = new Set([partitionKey, sortKey, index.partitionKey, ...index.filters, ...index.nonKeyAttributes]);
  const found = table.views
    .view(IndexName)
    .partition(String(partition))
    .filter((item) => [...condition].every(([name, value]) => item[name] === value))
    .map((item) => ({ item, Score: 1 - cosine(wanted, item[index.vector] as number[]) }))
    .sort((a, b) => a.Score - b.Score)
    .slice(0, TopK);
  return {
    SearchResults: found.map(({ item, Score }) => ({
      Item: marshall(project(only(item, attributes), input, placeholders)),
      Score,
    })),
  };
}

/** Reads the attributes and values in a search condition, which supports only `=` and `AND`. */
function conjunction(text: string, { name, value }: Placeholders) {
  return new Map(
    text.split(" AND ").map((part) => {
      const match = /^(#\w+) = (:\w+)$/.exec(part.trim());
      if (!match?.[1] || !match[2]) throw invalid(`the search condition is not understood: ${text}`);
      return [name(match[1]), value(match[2])];
    }),
  );
}

function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw invalid(`the vector has ${a.length} dimensions, the index has ${b.length}`);
  let [dot, left, right] = [0, 0, 0];
  for (const [n, x] of a.entries()) {
    const y = b[n] ?? 0;
    dot += x * y;
    left += x * x;
    right += y * y;
  }
  return left === 0 || right === 0 ? 0 : dot / Math.sqrt(left * right);
}

const only = (item: Item, names: ReadonlySet<string>): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));

function compareAll(a: readonly string[], b: readonly string[]): number {
  for (const [n, left] of a.entries()) {
    const right = b[n] ?? "";
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
