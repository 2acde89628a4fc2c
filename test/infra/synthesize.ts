import { mkdtempSync, readFileSync } from "node:fs";
import path from "node:path";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Code } from "aws-cdk-lib/aws-lambda";
import { inject } from "vitest";
import { addStacks } from "../../infra/stacks/add-stacks.ts";

type Context = Record<string, string>;
type Stacks = ReturnType<typeof addStacks>;

const { context: flags } = JSON.parse(readFileSync(new URL("../../cdk.json", import.meta.url), "utf8"));

/** A directory for one assembly. It is removed after the run. */
export const assemblyDirectory = (): string => mkdtempSync(path.join(inject("temporaryDirectory"), "assembly-"));

/** The stacks that `cdk synth -c name=value` makes, with dummy code for the functions. */
export function build(context: Context = {}): { app: App; stacks: Stacks } {
  const app = new App({
    analyticsReporting: false,
    outdir: assemblyDirectory(),
    // The validator takes seconds, and `cdk synth` runs it.
    builtinCloudFormationValidation: false,
    context: { ...flags, "aws:cdk:enable-path-metadata": true, ...context },
  });
  return { app, stacks: addStacks(app, () => Code.fromInline("exports.handler = async () => {};")) };
}

const synthesized = new Map<string, Record<keyof Stacks, Template>>();

/** The templates of the four stacks. The test files of a process share them. */
export function synthesize(context: Context = {}): Record<keyof Stacks, Template> {
  const key = JSON.stringify(context);
  const templates = synthesized.get(key) ?? templatesOf(context);
  synthesized.set(key, templates);
  return templates;
}

function templatesOf(context: Context): Record<keyof Stacks, Template> {
  const { data, api, jobs, observability } = build(context).stacks;
  return {
    data: Template.fromStack(data),
    api: Template.fromStack(api),
    jobs: Template.fromStack(jobs),
    observability: Template.fromStack(observability),
  };
}

/** A resolved CloudFormation resource. */
export interface Resource {
  Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: templates are JSON, and each test knows the shape of its part.
  Properties: any;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
  Metadata: { "aws:cdk:path": string };
}

/** The template's resources of a type, by logical id. */
export function resourcesOf(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>;
}

/** The one resource of a type, or the one whose construct path holds `path`. */
export function onlyResource(template: Template, type: string, path = ""): Resource {
  const found = Object.values(resourcesOf(template, type)).filter(({ Metadata }) =>
    Metadata["aws:cdk:path"].includes(path),
  );
  if (found.length !== 1) throw new Error(`${found.length} resources of type ${type} with ${path} in their path`);
  return found[0]!;
}
