import * as z from "zod";
import { instantSchema } from "../../session/schema.ts";

/** A page of a list, and where the next one starts. */
export const page = (item: z.ZodType) => z.object({ data: z.array(item), next_cursor: z.string().nullable() });

/** A number in a query, in digits: what JavaScript would make of an empty value or of `0x10` is not what was meant. */
export const queryNumber = <T extends z.ZodType>(number: T) =>
  z.preprocess((value) => (/^\d+(\.\d+)?$/.test(String(value)) ? Number(value) : value), number);

/** Query parameters of every list. */
export const pageQuery = {
  limit: queryNumber(z.int().min(1).max(100).default(20)),
  cursor: z.string().min(1).max(2048).optional().meta({ description: "`next_cursor` of the page before." }),
};

/** Query parameters of lists that go by time. */
export const rangeQuery = {
  from: instantSchema.optional().meta({ description: "Inclusive." }),
  to: instantSchema.optional().meta({ description: "Exclusive." }),
};

export const orderSchema = z.enum(["asc", "desc"]);
