import { expect, test } from "vitest";
import type { TemplateResource } from "../../../../infra/local/assembly/read.ts";
import { createResolver } from "../../../../infra/local/assembly/resolve.ts";
import { reviewResources } from "../../../../infra/local/assembly/review.ts";

function review(Resources: Record<string, TemplateResource>) {
  const warnings: string[] = [];
  const notes: string[] = [];
  const stacks = [{ name: "App", template: { Resources }, assets: new Map() }];
  const resolver = createResolver({ directory: "", stacks }, (text) => void warnings.push(text));
  reviewResources(
    resolver,
    (text) => void warnings.push(text),
    (text) => void notes.push(text),
  );
  return { warnings, notes };
}

test("a type that the host does not know is named in a warning", () => {
  const { warnings } = review({ Cluster: { Type: "AWS::ECS::Cluster" } });
  expect(warnings).toEqual([
    "AWS::ECS::Cluster Cluster: the local host does not know this type of resource; nothing runs for it",
  ]);
});

test("a property that the host does not know is named in a warning, nested ones too", () => {
  const { warnings } = review({
    Function: { Type: "AWS::Lambda::Function", Properties: { Handler: "index.handler", VpcConfig: {} } },
    Method: {
      Type: "AWS::ApiGateway::Method",
      Properties: { Integration: { ConnectionId: "x" }, ApiKeyRequired: true },
    },
    Rule: { Type: "AWS::Events::Rule", Properties: { EventPattern: {}, Targets: [{ Arn: "a", InputPath: "$" }] } },
  });
  expect(warnings).toEqual([
    "AWS::Lambda::Function Function: VpcConfig is not understood by the local host and has no effect",
    "AWS::ApiGateway::Method Method: Integration.ConnectionId is not understood by the local host and has no effect",
    "AWS::ApiGateway::Method Method: ApiKeyRequired = true is not understood by the local host",
    "AWS::Events::Rule Rule: EventPattern is not understood by the local host and has no effect",
    "AWS::Events::Rule Rule: Targets.InputPath is not understood by the local host and has no effect",
  ]);
});

test("what is known to have nothing to run is in the notes, with the reason", () => {
  const { warnings, notes } = review({
    LogsA: { Type: "AWS::Logs::LogGroup" },
    LogsB: { Type: "AWS::Logs::LogGroup" },
    Queue: { Type: "AWS::SQS::Queue", Properties: { SqsManagedSseEnabled: true } },
  });
  expect(warnings).toEqual([]);
  expect(notes).toEqual([
    "nothing to run for AWS::SQS::Queue SqsManagedSseEnabled: the disk is the user's own",
    "nothing to run for AWS::Logs::LogGroup: logs go to the terminal (2 times)",
  ]);
});
