// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the placeholders are those of CloudFormation
import { expect, test } from "vitest";
import type { Template } from "../../../../infra/local/assembly/read-assembly.ts";
import { createResolver } from "../../../../infra/local/assembly/resolve.ts";

const queue = (Properties: object) => ({ Type: "AWS::SQS::Queue", Properties: Properties as Record<string, unknown> });

function resolverOf(stacks: Record<string, Template>) {
  const read = Object.entries(stacks).map(([name, template]) => ({ name, template, assets: new Map() }));
  const warnings: string[] = [];
  return { warnings, resolver: createResolver(read, (text) => void warnings.push(text)) };
}

/** The value of a property, resolved in a stack called App. */
function resolve(value: unknown, template: Template = {}, others: Record<string, Template> = {}) {
  const App = { ...template, Resources: { ...template.Resources, Probe: queue({ Value: value }) } };
  const { resolver, warnings } = resolverOf({ App, ...others });
  const probe = resolver.resources("AWS::SQS::Queue").find(({ logicalId }) => logicalId === "Probe");
  return { value: probe?.properties.Value, warnings };
}

test.each([
  [{ Ref: "AWS::Region" }, "us-east-1"],
  [{ "Fn::Join": ["-", ["a", { Ref: "AWS::AccountId" }, "b"]] }, "a-000000000000-b"],
  [{ "Fn::Sub": "${AWS::Partition}:${Table}" }, "aws:App-Table"],
  [{ "Fn::Select": [1, { "Fn::Split": [":", "a:b:c"] }] }, "b"],
  [{ "Fn::GetAtt": ["Bucket", "Arn"] }, "arn:aws:s3:::app-bucket"],
  [{ "Fn::GetAtt": ["Table", "Arn"] }, "arn:aws:dynamodb:us-east-1:000000000000:table/App-Table"],
])("%j gives %j", (value, expected) => {
  const { value: got, warnings } = resolve(value, {
    Resources: { Table: { Type: "AWS::DynamoDB::Table" }, Bucket: { Type: "AWS::S3::Bucket" } },
  });
  expect(got).toEqual(expected);
  expect(warnings).toEqual([]);
});

test("a stack uses exports and outputs of other stacks, with attributes that are set later", () => {
  const Data: Template = {
    Resources: { Table: { Type: "AWS::DynamoDB::Table" } },
    Outputs: { Stream: { Value: { "Fn::GetAtt": ["Table", "StreamArn"] }, Export: { Name: "Data:Stream" } } },
  };
  const App: Template = {
    Resources: {
      Probe: queue({
        Imported: { "Fn::ImportValue": "Data:Stream" },
      }),
    },
  };
  const { resolver, warnings } = resolverOf({ App, Data });
  resolver.learn({ stack: "Data", logicalId: "Table" }, { StreamArn: "arn:stream/1" });
  expect(resolver.resources("AWS::SQS::Queue")[0]?.properties).toEqual({
    Imported: "arn:stream/1",
  });
  expect(resolver.outputs()).toEqual({ Stream: "arn:stream/1" });
  expect(warnings).toEqual([]);
});

test("the condition of a resource is ignored, with a warning", () => {
  const { resolver, warnings } = resolverOf({
    App: { Resources: { Queue: { ...queue({}), Condition: "Never" } } },
  });
  expect(resolver.resources().map(({ logicalId }) => logicalId)).toEqual(["Queue"]);
  expect(warnings).toEqual(["Queue: the local host ignores the condition Never"]);
});

test.each([
  [{ "Fn::Cidr": ["10.0.0.0/8", 2] }, "does not know Fn::Cidr"],
  [{ Ref: "Missing" }, "Ref to Missing"],
  [{ "Fn::Sub": ["${x}", { x: "map" }] }, "Ref to x"],
  [{ "Fn::GetAtt": ["Probe", "Weight"] }, "attribute Weight of Probe"],
  [{ "Fn::ImportValue": "Nowhere:X" }, "no stack exports Nowhere:X"],
])("%j cannot be worked out and is named in a warning", (value, text) => {
  const { value: got, warnings } = resolve(value);
  expect(warnings.join()).toContain(text);
  expect(String(got)).toContain("unresolved");
});

test("physical names are valid for their resource type and stay the same", () => {
  const { resolver } = resolverOf({
    "My-Very-Long-Stack-Name-For-A-Test": {
      Resources: {
        BucketWithAVeryLongLogicalIdThatGoesOnAndOn1234ABCD: { Type: "AWS::S3::Bucket" },
        FunctionWithAVeryLongLogicalIdThatGoesOnAndOn1234ABCD: { Type: "AWS::Lambda::Function" },
        Given: { Type: "AWS::Lambda::Function", Properties: { FunctionName: "given" } },
      },
    },
  });
  const names = resolver.resources().map((resource) => resolver.ref(resource));
  expect(names[0]).toMatch(/^[a-z0-9][a-z0-9-]{2,62}$/);
  expect(names[0]).toMatch(/1234abcd$/);
  expect(names[1]?.length).toBeLessThanOrEqual(64);
  expect(names[2]).toBe("given");
});
