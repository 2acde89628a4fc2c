import type { DatabaseSync } from "node:sqlite";

/** A table of the engine that has TTL. */
export interface TtlTable {
  name: string;
  keySchema: { AttributeName: string }[];
  /** View type of its stream; absent without a stream. */
  streamView?: string;
  /** SQL expression for the expiry time of an item. The index has the same expression. */
  time: string;
}

/**
 * Adds an index of the expiry times to every table with TTL. The engine's own sweep locks the database while it parses all items of all
 * tables, and an item with a vector takes 2 ms.
 */
export function indexTtl(db: DatabaseSync): void {
  for (const { index, table, time } of ttlRows(db)) {
    db.exec(`CREATE INDEX IF NOT EXISTS ${index} ON ${table}(${time}) WHERE ${time} IS NOT NULL`);
  }
}

export const ttlTables = (db: DatabaseSync): TtlTable[] =>
  ttlRows(db).map(({ name, keySchema, streamView, time }) => ({
    name,
    keySchema: JSON.parse(keySchema),
    ...(streamView === undefined ? {} : { streamView }),
    time,
  }));

function ttlRows(db: DatabaseSync) {
  return db
    .prepare("SELECT * FROM _tables WHERE ttl_enabled = 1")
    .all()
    .map(({ table_name, ttl_attribute, key_schema, stream_enabled, stream_view_type }) => {
      const path = `$.${JSON.stringify(ttl_attribute)}.N`.replaceAll("'", "''");
      return {
        name: String(table_name),
        keySchema: String(key_schema),
        streamView: stream_enabled ? String(stream_view_type ?? "NEW_AND_OLD_IMAGES") : undefined,
        index: quote(`memocha_ttl_${table_name}_${ttl_attribute}`),
        table: quote(String(table_name)),
        time: `CAST(json_extract(item_json, '${path}') AS REAL)`,
      };
    });
}

/** A name, quoted for SQL. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
