import type * as z from "zod";
import { AppError } from "../errors.ts";

/** Returns the value as the schema parses it. Throws `validation_failed`, which names each field by its path from `root`. */
export function validate<T extends z.ZodType>(schema: T, value: unknown, root = ""): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const fields = flatten(result.error.issues).map(({ path, message }) => ({
    path: [root, ...path].filter((part) => part !== "").join("."),
    message,
  }));
  const [first] = fields;
  const detail = first ? `${first.path || "body"}: ${first.message}` : "the input is invalid";
  throw new AppError("validation_failed", detail, { fields });
}

interface Flat {
  path: PropertyKey[];
  message: string;
}

/** Lists the issues. Of a union, it lists those of the alternative that fits the input best. */
function flatten(
  issues: readonly z.core.$ZodIssue[],
  above: PropertyKey[] = [],
): { path: string[]; message: string }[] {
  return issues.flatMap((issue): { path: string[]; message: string }[] => {
    const path = [...above, ...issue.path];
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const closest = issue.errors.reduce((best, other) => (depth(other) > depth(best) ? other : best));
      return flatten(closest, path);
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => text({ path: [...path, key], message: "is not a known field" }));
    }
    return [text({ path, message: issue.message })];
  });
}

const text = ({ path, message }: Flat): { path: string[]; message: string } => ({ path: path.map(String), message });

/** How well an alternative fits: the deeper its issues, the more of the input it matched. Unknown keys count against it. */
const depth = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(...issues.map((issue) => issue.path.length)) - issues.filter((i) => i.code === "unrecognized_keys").length;
