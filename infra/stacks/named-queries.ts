import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const directory = path.join(import.meta.dirname, "queries");

export interface NamedQuery {
  name: string;
  /** The first line of the file, a comment. */
  description: string;
  sql: string;
}

/** Reads the named queries: the files `infra/stacks/queries/<name>.sql`, in SQL for both Athena and DuckDB. */
export function namedQueries(): NamedQuery[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => {
      const sql = readFileSync(path.join(directory, file), "utf8").trim();
      const [first = ""] = sql.split("\n");
      return { name: path.basename(file, ".sql"), description: first.replace(/^--\s*/, ""), sql };
    });
}
