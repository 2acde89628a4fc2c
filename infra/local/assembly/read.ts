import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** A cloud assembly: the stacks that CDK synthesized, with their templates and assets. */
export interface Assembly {
  directory: string;
  stacks: Stack[];
}

export interface Stack {
  /** The stack's name in CloudFormation. */
  name: string;
  template: Template;
  /** Absolute path of an asset's directory or file, by its object key in the bootstrap bucket. */
  assets: Map<string, string>;
}

export interface Template {
  Resources?: Record<string, TemplateResource>;
  Parameters?: Record<string, { Type?: string; Default?: unknown }>;
  Conditions?: Record<string, unknown>;
  Mappings?: Record<string, Record<string, Record<string, unknown>>>;
  Outputs?: Record<string, { Value?: unknown; Condition?: string; Export?: { Name?: unknown } }>;
}

export interface TemplateResource {
  Type: string;
  Properties?: Record<string, unknown>;
  Metadata?: { "aws:cdk:path"?: string };
  Condition?: string;
}

interface Manifest {
  artifacts?: Record<string, Artifact>;
}

interface Artifact {
  type: string;
  properties?: { templateFile?: string; stackName?: string; file?: string; directoryName?: string };
}

interface AssetManifest {
  files?: Record<
    string,
    { source?: { path?: string }; destinations?: Record<string, { objectKey?: string } | undefined> }
  >;
}

/** Reads a cloud assembly, including nested ones of stages. Throws an Error when the directory has none. */
export function readAssembly(directory: string): Assembly {
  if (!existsSync(path.join(directory, "manifest.json"))) {
    throw new Error(`${directory} is not a cloud assembly: it has no manifest.json`);
  }
  return { directory, stacks: readStacks(directory) };
}

function readStacks(directory: string): Stack[] {
  const artifacts = Object.entries(readJson<Manifest>(directory, "manifest.json").artifacts ?? {});
  const assets = new Map<string, string>();
  for (const [, { type, properties }] of artifacts) {
    if (type === "cdk:asset-manifest" && properties?.file) readAssets(directory, properties.file, assets);
  }
  return artifacts.flatMap(([id, { type, properties }]): Stack[] => {
    if (type === "cdk:cloud-assembly" && properties?.directoryName) {
      return readStacks(path.join(directory, properties.directoryName));
    }
    if (type !== "aws:cloudformation:stack" || !properties?.templateFile) return [];
    const template = readJson<Template>(directory, properties.templateFile);
    return [{ name: properties.stackName ?? id, template, assets }];
  });
}

function readAssets(directory: string, file: string, assets: Map<string, string>): void {
  for (const { source, destinations } of Object.values(readJson<AssetManifest>(directory, file).files ?? {})) {
    for (const destination of Object.values(destinations ?? {})) {
      if (source?.path && destination?.objectKey) {
        assets.set(destination.objectKey, path.resolve(directory, source.path));
      }
    }
  }
}

function readJson<T>(directory: string, file: string): T {
  return JSON.parse(readFileSync(path.join(directory, file), "utf8")) as T;
}
