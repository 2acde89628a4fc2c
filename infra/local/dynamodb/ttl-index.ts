import type { DatabaseSync } from "node:sqlite";

/**
 * Gives every table with TTL an index of its times. The engine's own sweep reads all items of all tables, some 10 µs
 * each and with its lock held: with the index, it is only told to when something has expired.
 */
export function indexTtl(db: DatabaseSync): void {
  for (const { index, table, time } of ttlTables(db)) {
    db.exec(`CREATE INDEX IF NOT EXISTS ${index} ON ${table}(${time}) WHERE ${time} IS NOT NULL`);
  }
}

/** Whether any table holds an item whose time has come. */
export function hasExpired(db: DatabaseSync, now: Date = new Date()): boolean {
  return ttlTables(db).some(({ table, time }) =>
    db.prepare(`SELECT 1 FROM ${table} WHERE ${time} <= ? LIMIT 1`).get(now.getTime() / 1000),
  );
}

/** Quoted names, and the expression for the time of an item. */
function ttlTables(db: DatabaseSync): { index: string; table: string; time: string }[] {
  return db
    .prepare("SELECT table_name, ttl_attribute FROM _tables WHERE ttl_enabled = 1")
    .all()
    .map(({ table_name, ttl_attribute }) => {
      const path = `$.${JSON.stringify(ttl_attribute)}.N`.replaceAll("'", "''");
      return {
        index: quote(`memocha_ttl_${table_name}_${ttl_attribute}`),
        table: quote(String(table_name)),
        time: `CAST(json_extract(item_json, '${path}') AS REAL)`,
      };
    });
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
