/** The bill for a million messages: list prices times measured units. */

/** What was measured, on average, with the embedded engines. */
export interface Units {
  /** Of one message of 1 KB that is appended alone. */
  append: { wru: number; rru: number };
  /** Of one message that is remembered together with the others of its session. */
  remember: { wru: number; rru: number; vectorWriteBytes: number };
  /** Of one search for memories. */
  search: { rru: number; vectorBytes: number };
  /** Of the raw metric that a request leaves, and of folding it. */
  metric: { wru: number; foldRru: number };
  /** Of one message of a session that is archived. */
  archive: { wru: number; rru: number };
  /** Bytes that are stored, for one message. */
  bytes: { hot: number; memory: number; vectorIndex: number; object: number };
}

/** Messages of a session. */
export const SESSION = 20;

/** Searches for memories, for a million messages: half of them are questions. */
const SEARCHES = 0.5;

/** Days that a session stays hot. */
const HOT_DAYS = 7;

/** List prices of us-east-1 in US dollars, as known in November 2026. */
const PRICES = {
  /** A million requests. */
  gateway: 3.5,
  lambdaRequests: 0.2,
  wru: 0.625,
  rru: 0.125,
  traces: 5,
  /** A thousand PUT requests. */
  put: 0.005,
  /** A GB-second of a function on arm64. */
  lambda: 0.0000133,
  /** A GB for a month. */
  table: 0.25,
  s3: 0.023,
  /** A GB that is taken in. */
  logs: 0.5,
} as const;

const GB = 1e9;

interface Row {
  what: string;
  units: string;
  /** US dollars; `null` = the price is not known here. */
  price: number | null;
}

/** The table as Markdown. */
export function costTable(units: Units): string {
  const rows = rowsOf(units);
  const sum = rows.reduce((total, { price }) => total + (price ?? 0), 0);
  return [
    "| | | $ |",
    "|---|---|---|",
    ...rows.map(({ what, units: made, price }) => `| ${what} | ${made} | ${price === null ? "?" : dollars(price)} |`),
    `| **Together**, without the two rows of the vector index | | **${dollars(sum)}** |`,
    "",
  ].join("\n");
}

function rowsOf({ append, remember, search, metric, archive, bytes }: Units): Row[] {
  const requests = (wru: number, rru: number) => wru * PRICES.wru + rru * PRICES.rru;
  const functions = (gb: number, seconds: number) => PRICES.lambdaRequests + gb * seconds * 1e6 * PRICES.lambda;
  const stored = (size: number, months: number) => ((size * 1e6) / GB) * months;
  const hot = stored(bytes.hot, HOT_DAYS / 30);
  return [
    { what: "API Gateway (REST)", units: "1 million requests", price: PRICES.gateway },
    { what: "Lambda, append", units: "0.5 GB for 30 ms", price: functions(0.5, 0.03) },
    {
      what: "Lambda, authorizer",
      units: "one request in ten, the rest from its cache: 0.25 GB for 20 ms",
      price: functions(0.25, 0.02) / 10,
    },
    {
      what: "DynamoDB, append",
      units: `${number(append.wru)} WRU, ${number(append.rru)} RRU`,
      price: requests(append.wru, append.rru),
    },
    {
      what: "DynamoDB, metrics",
      units: `${number(metric.wru)} WRU for the request, ${number(metric.foldRru)} RRU to fold it`,
      price: requests(metric.wru, metric.foldRru),
    },
    {
      what: "DynamoDB, remember",
      units: `${number(remember.wru)} WRU, ${number(remember.rru)} RRU, in batches of ${SESSION}`,
      price: requests(remember.wru, remember.rru),
    },
    {
      what: "DynamoDB, vector index: writes",
      units: `${number(remember.vectorWriteBytes)} bytes for each message: ${number((remember.vectorWriteBytes * 1e6) / GB)} GB`,
      price: null,
    },
    {
      what: "DynamoDB, vector index: searches",
      units: `${number(SEARCHES * 1e6)} searches of ${number(search.vectorBytes)} bytes: ${number((search.vectorBytes * SEARCHES * 1e6) / GB)} GB`,
      price: null,
    },
    {
      what: "DynamoDB, reads of a search",
      units: `${number(SEARCHES * 1e6)} × ${number(search.rru)} RRU`,
      price: requests(0, search.rru * SEARCHES),
    },
    {
      what: "DynamoDB, archive",
      units: `${number(archive.wru)} WRU, ${number(archive.rru)} RRU`,
      price: requests(archive.wru, archive.rru),
    },
    {
      what: "DynamoDB storage, hot messages",
      units: `${number(bytes.hot)} bytes for each message, ${HOT_DAYS} days`,
      price: hot * PRICES.table,
    },
    {
      what: "DynamoDB storage, memories and their index by time",
      units: `${number(bytes.memory)} bytes for each message, 12 months`,
      price: stored(bytes.memory, 12) * PRICES.table,
    },
    {
      what: "DynamoDB storage, vector index",
      units: `${number(bytes.vectorIndex)} bytes for each message, 12 months`,
      price: stored(bytes.vectorIndex, 12) * PRICES.table,
    },
    {
      what: "Lambda, remember and archive",
      units: `${number(1e6 / SESSION)} batches of each: 1 GB for 200 ms and 100 ms`,
      price: (functions(1, 0.2) + functions(1, 0.1)) / SESSION,
    },
    { what: "S3, one PUT for each session", units: number(1e6 / SESSION), price: (1e6 / SESSION / 1000) * PRICES.put },
    {
      what: "S3 storage",
      units: `${number(bytes.object)} bytes gzipped for each message, 12 months`,
      price: stored(bytes.object, 12) * PRICES.s3,
    },
    { what: "Logs", units: "1 KB for each request", price: (1e6 * 1000 * PRICES.logs) / GB },
    { what: "Traces", units: "5 of 100 requests", price: PRICES.traces * 0.05 },
  ];
}

/** Two significant digits are as much as an average is good for. */
const number = (value: number): string =>
  (value >= 1000 ? Math.round(value / 100) * 100 : Number(value.toPrecision(2))).toLocaleString("en-US");

const dollars = (value: number): string => value.toFixed(2);
