import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** A stack of a cloud assembly, as CDK synthesized it. */
export interface Stack {
  /** The stack's name in CloudFormation. */
  name: string;
  template: Template;
  /** Absolute path of an asset's directory or file, by its object key in the bootstrap bucket. */
  assets: Map<string, string>;
}

export interface Template {
  Resources?: Record<string, TemplateResource>;
  Outputs?: Record<string, { Value?: unknown; Export?: { Name?: unknown } }>;
}

export interface TemplateResource {
  Type: string;
  Properties?: Record<string, unknown>;
  Metadata?: { "aws:cdk:path"?: string };
  Condition?: string;
}

interface Artifact {
  type: string;
  properties?: { templateFile?: string; stackName?: string; file?: string };
}

interface AssetFile {
  source?: { path?: string };
  destinations?: Record<string, { objectKey?: string } | undefined>;
}

/** Reads the stacks of a cloud assembly. Throws an Error when the directory has none. */
export function readAssembly(directory: string): Stack[] {
  if (!existsSync(path.join(directory, "manifest.json"))) {
    throw new Error(`${directory} is not a cloud assembly: it has no manifest.json`);
  }
  const manifest = readJson<{ artifacts?: Record<string, Artifact> }>(directory, "manifest.json");
  const artifacts = Object.entries(manifest.artifacts ?? {});
  const files = artifacts.flatMap(([, { type, properties }]) =>
    type === "cdk:asset-manifest" && properties?.file
      ? Object.values(readJson<{ files?: Record<string, AssetFile> }>(directory, properties.file).files ?? {})
      : [],
  );
  const assets = new Map(
    files.flatMap(({ source, destinations = {} }) =>
      Object.values(destinations).map(
        (to) => [to?.objectKey ?? "", path.resolve(directory, source?.path ?? "")] as const,
      ),
    ),
  );
  return artifacts.flatMap(([id, { type, properties }]): Stack[] => {
    if (type !== "aws:cloudformation:stack" || !properties?.templateFile) return [];
    const template = readJson<Template>(directory, properties.templateFile);
    return [{ name: properties.stackName ?? id, template, assets }];
  });
}

function readJson<T>(directory: string, file: string): T {
  return JSON.parse(readFileSync(path.join(directory, file), "utf8")) as T;
}
