import * as z from "zod";
import { idSchema, instantSchema } from "../../session/schema.ts";

/** Path parameters of operations on one session. */
export const sessionParams = z.object({ id: idSchema });

/** The answer of a list: one page, and the cursor of the next one. */
export function page<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

/** A number in a query. Converts only digits, because `Number` reads an empty value as 0 and `0x10` as 16. */
export function queryNumber<T extends z.ZodType>(number: T) {
  return z.preprocess((value) => (/^\d+(\.\d+)?$/.test(String(value)) ? Number(value) : value), number);
}

/** Query parameters of every list. */
export const pageQuery = {
  limit: queryNumber(z.int().min(1).max(100).default(20)),
  cursor: z.string().min(1).max(2048).optional().meta({ description: "`next_cursor` of the previous page." }),
};

/** Query parameters of lists that are ordered by time. */
export const rangeQuery = {
  from: instantSchema.optional().meta({ description: "Inclusive." }),
  to: instantSchema.optional().meta({ description: "Exclusive." }),
};

export const orderSchema = z.enum(["asc", "desc"]);
