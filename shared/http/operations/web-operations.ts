import * as z from "zod";
import type { Operation } from "./operation.ts";

const assetParams = z.object({ file: z.string().regex(/^[\w-]{1,80}\.(js|css|svg)$/) });

/** The page in browsers and the files that it loads. */
export const webOperations = {
  getPage: {
    method: "GET",
    path: "/",
    access: "public",
    summary: "Load the page: chat, memory and operations",
    answers: { 200: null, 308: null },
    media: ["text/html"],
    headers: ["location"],
  },
  getAsset: {
    method: "GET",
    path: "/assets/{file}",
    access: "public",
    summary: "Load a script, a style sheet or a picture of the page",
    params: assetParams,
    answers: { 200: null },
    media: ["text/javascript", "text/css", "image/svg+xml"],
    headers: ["content-encoding"],
  },
} as const satisfies Record<string, Operation>;
