import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { retention } from "../retention/policy.ts";
import { statusOf, translate } from "../s3/translate.ts";
import type { ReportStore } from "./report.ts";

/** Reports as objects `reports/<month>.json` and `reports/<month>.html` in a bucket. */
export function createReportStore(s3: S3Client, Bucket: string): ReportStore {
  const put = (Key: string, ContentType: string, Body: string) =>
    s3.send(new PutObjectCommand({ Bucket, Key, ContentType, Body })).catch(rethrow);
  return {
    async put(report, html) {
      await put(keyOf(report.month, "html"), "text/html; charset=utf-8", html);
      await put(keyOf(report.month, "json"), "application/json", JSON.stringify(report));
    },

    async find(month) {
      try {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: keyOf(month, "json") }));
        return JSON.parse((await Body?.transformToString()) ?? "null");
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw translate(error, "report store");
      }
    },
  };
}

const keyOf = (month: string, format: "json" | "html"): string => `${retention.report.place.object}${month}.${format}`;

function rethrow(error: unknown): never {
  throw translate(error, "report store");
}
