/** The cost of a million messages: list prices times measured units. */

/** Averages that were measured with the embedded engines. */
export interface Units {
  /** Per message of 1 KB that is appended alone. */
  append: { wru: number; rru: number };
  /** Per message that is remembered together with the others of its session. */
  remember: { wru: number; rru: number; vectorWriteBytes: number };
  /** Per search for memories. */
  search: { rru: number; vectorBytes: number };
  /** Per request: writing its raw metric, and folding it. */
  metric: { wru: number; foldRru: number };
  /** Per message of an archived session. */
  archive: { wru: number; rru: number };
  /** Stored bytes per message. */
  bytes: { hot: number; memory: number; vectorIndex: number; object: number };
}

/** Messages of a session. */
export const SESSION = 20;

/** Searches for memories per message: half of the messages are questions. */
const SEARCHES = 0.5;

/** Days that a session stays hot. */
const HOT_DAYS = 7;

/** List prices of us-east-1 in US dollars, as known in November 2026. */
const PRICES = {
  /** Per million requests. */
  gateway: 3.5,
  lambdaRequests: 0.2,
  wru: 0.625,
  rru: 0.125,
  traces: 5,
  /** Per thousand PUT requests. */
  put: 0.005,
  /** Per GB-second of a function on arm64. */
  lambda: 0.0000133,
  /** Per GB and month. */
  table: 0.25,
  s3: 0.023,
  /** Per ingested GB. */
  logs: 0.5,
} as const;

const GB = 1e9;

interface Row {
  what: string;
  units: string;
  /** US dollars; `null` = the price is not published. */
  price: number | null;
}

/** Formats the cost table in Markdown. */
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

/** Two significant digits: an average is not more precise. */
const number = (value: number): string =>
  (value >= 1000 ? Math.round(value / 100) * 100 : Number(value.toPrecision(2))).toLocaleString("en-US");

const dollars = (value: number): string => value.toFixed(2);
