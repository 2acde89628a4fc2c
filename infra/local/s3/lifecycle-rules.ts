import { z } from "zod";
import { parseXml } from "./xml.ts";

const wholeNumber = (least: number) =>
  z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least, `must be at least ${least}`);

/** A rule, with the elements that this server applies. Every age is in days. */
const rule = z.strictObject({
  ID: z.string().optional(),
  Status: z.enum(["Enabled", "Disabled"]),
  // The XML parser reads an element without content as an empty text.
  Filter: z.preprocess((value) => value || {}, z.strictObject({ Prefix: z.string().default("") })),
  Expiration: z
    .strictObject({
      Days: wholeNumber(1).optional(),
      ExpiredObjectDeleteMarker: z.enum(["true", "false"]).optional(),
    })
    .optional(),
  Transition: z
    .array(z.strictObject({ Days: wholeNumber(0), StorageClass: z.literal("GLACIER_IR") }))
    .max(1)
    .default([]),
  NoncurrentVersionExpiration: z.strictObject({ NoncurrentDays: wholeNumber(1) }).optional(),
  AbortIncompleteMultipartUpload: z.strictObject({ DaysAfterInitiation: wholeNumber(1) }).optional(),
});

const lifecycle = z.strictObject({ Rule: z.array(rule) });

/** A rule of a bucket's lifecycle. An age is in days; `undefined` = never. */
export interface LifecycleRule {
  /** The rule applies to keys with this prefix. */
  prefix: string;
  expireAfter: number | undefined;
  /** Whether to remove a delete marker that is the only version of its key. */
  expiredMarkers: boolean;
  /** The age at which objects move to the class GLACIER_IR. */
  transitionAfter: number | undefined;
  noncurrentExpireAfter: number | undefined;
  abortUploadsAfter: number | undefined;
}

/** Reads the enabled rules of a lifecycle document. Throws MalformedXML for a rule that this server cannot apply. */
export function readRules(document: string): LifecycleRule[] {
  const { Rule: rules } = parseXml(document, "LifecycleConfiguration", lifecycle);
  return rules
    .filter(({ Status }) => Status === "Enabled")
    .map(({ Filter, Expiration, Transition, NoncurrentVersionExpiration, AbortIncompleteMultipartUpload }) => ({
      prefix: Filter.Prefix,
      expireAfter: Expiration?.Days,
      expiredMarkers: Expiration?.ExpiredObjectDeleteMarker === "true",
      transitionAfter: Transition[0]?.Days,
      noncurrentExpireAfter: NoncurrentVersionExpiration?.NoncurrentDays,
      abortUploadsAfter: AbortIncompleteMultipartUpload?.DaysAfterInitiation,
    }));
}
