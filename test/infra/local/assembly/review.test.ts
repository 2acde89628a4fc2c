import { expect, test } from "vitest";
import type { TemplateResource } from "../../../../infra/local/assembly/read-assembly.ts";
import { createResolver } from "../../../../infra/local/assembly/resolve.ts";
import { reviewResources } from "../../../../infra/local/assembly/review.ts";

function review(Resources: Record<string, TemplateResource>) {
  const warnings: string[] = [];
  const notes: string[] = [];
  const stacks = [{ name: "App", template: { Resources }, assets: new Map() }];
  const resolver = createResolver(stacks, (text) => void warnings.push(text));
  reviewResources(
    resolver,
    (text) => void warnings.push(text),
    (text) => void notes.push(text),
  );
  return { warnings, notes };
}

test("a resource type that the host does not support causes a warning", () => {
  const { warnings } = review({ Cluster: { Type: "AWS::ECS::Cluster" } });
  expect(warnings).toEqual([
    "AWS::ECS::Cluster Cluster: the local host does not support this type of resource and ignores it",
  ]);
});

test("a property that the host does not support causes a warning, also a nested one", () => {
  const { warnings } = review({
    Function: { Type: "AWS::Lambda::Function", Properties: { Handler: "index.handler", VpcConfig: {} } },
    Method: {
      Type: "AWS::ApiGateway::Method",
      Properties: { Integration: { ConnectionId: "x" } },
    },
    Rule: { Type: "AWS::Events::Rule", Properties: { EventPattern: {}, Targets: [{ Arn: "a", InputPath: "$" }] } },
  });
  expect(warnings).toEqual([
    "AWS::Lambda::Function Function: the local host does not support VpcConfig and ignores it",
    "AWS::ApiGateway::Method Method: the local host does not support Integration.ConnectionId and ignores it",
    "AWS::Events::Rule Rule: the local host does not support EventPattern and ignores it",
    "AWS::Events::Rule Rule: the local host does not support Targets.InputPath and ignores it",
  ]);
});

test("resources that need nothing here are noted with the reason", () => {
  const { warnings, notes } = review({
    LogsA: { Type: "AWS::Logs::LogGroup" },
    LogsB: { Type: "AWS::Logs::LogGroup" },
    Queue: { Type: "AWS::SQS::Queue", Properties: { SqsManagedSseEnabled: true } },
  });
  expect(warnings).toEqual([]);
  expect(notes).toEqual(["ignoring AWS::Logs::LogGroup: logs go to the terminal (2 times)"]);
});
