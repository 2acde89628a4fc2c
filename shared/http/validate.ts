import type * as z from "zod";
import { type FieldError, invalidInput } from "../errors.ts";

/** Returns the value as the schema parses it. Throws `validation_failed`, which names each field by its path from `root`. */
export function validate<T extends z.ZodType>(schema: T, value: unknown, root = ""): z.infer<T> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw invalidInput(...flatten(result.error.issues, [root]));
}

/** Lists the issues. Of a union, it lists those of the alternative that fits the input best. */
function flatten(issues: readonly z.core.$ZodIssue[], above: readonly PropertyKey[]): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const path = [...above, ...issue.path];
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      // A missing value fits no alternative, and the error of one of them would name a type that is not required.
      if (issue.input === undefined) return [{ path: dotted(path), message: "is missing" }];
      const closest = issue.errors.reduce((best, other) => (depth(other) > depth(best) ? other : best));
      return flatten(closest, path);
    }
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: dotted([...path, key]), message: "is not a known field" }));
    }
    return [{ path: dotted(path), message: issue.message }];
  });
}

const dotted = (path: readonly PropertyKey[]): string =>
  path
    .filter((part) => part !== "")
    .map(String)
    .join(".");

/** How well an alternative fits: the deeper its issues, the more of the input it matched. Unknown keys count against it. */
const depth = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(...issues.map((issue) => issue.path.length)) - issues.filter((i) => i.code === "unrecognized_keys").length;
