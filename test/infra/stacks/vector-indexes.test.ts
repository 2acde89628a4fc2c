/** Changing the dimensions of a deployed stack: CloudFormation can add and remove vector indexes of a table, but not change one. */
import { describe, expect, it } from "vitest";
import type { FunctionSpec } from "../../../infra/function-spec.ts";
import { functions } from "../../../infra/functions.ts";
import { onlyResource, type Resource, resourcesOf, synthesize } from "../synthesize.ts";

interface VectorIndex {
  IndexName: string;
  Dimensions: number;
  VectorAttribute: { AttributeName: string };
}

/** The templates of the deployments in their order, from 512 dimensions in slot a to 1024 in slot b and to 768 in slot a. */
const deployments = [
  { embeddingDimensions: "512,512" },
  { embeddingDimensions: "512,1024", retiredVectorIndexes: "b:512" },
  { embeddingDimensions: "512,1024" },
  { embeddingDimensions: "768,1024", retiredVectorIndexes: "a:512" },
  { embeddingDimensions: "768,1024" },
].map((context) => synthesize({ stage: "prod", ...context }));

const tableOf = ({ data }: (typeof deployments)[number]) =>
  onlyResource(data, "AWS::DynamoDB::Table", "/Conversations/").Properties;
const indexesOf = (deployment: (typeof deployments)[number]): VectorIndex[] => tableOf(deployment).VectorIndexes;

describe("a change of the dimensions", () => {
  it("adds an index whose name and attribute contain its slot and dimensions, and removes the old one in the next deployment", () => {
    const shown = deployments.map((deployment) =>
      indexesOf(deployment).map(
        ({ IndexName, VectorAttribute, Dimensions }) => `${IndexName} ${VectorAttribute.AttributeName} ${Dimensions}`,
      ),
    );
    expect(shown).toEqual([
      ["memories_a vector_a 512", "memories_b vector_b 512"],
      ["memories_a vector_a 512", "memories_b_1024 vector_b_1024 1024", "memories_b vector_b 512"],
      ["memories_a vector_a 512", "memories_b_1024 vector_b_1024 1024"],
      ["memories_a_768 vector_a_768 768", "memories_b_1024 vector_b_1024 1024", "memories_a vector_a 512"],
      ["memories_a_768 vector_a_768 768", "memories_b_1024 vector_b_1024 1024"],
    ]);
  });

  it("adds or removes one index in each deployment, and changes no index that stays", () => {
    for (const [n, deployment] of deployments.slice(1).entries()) {
      const [before, after] = [deployments[n]!, deployment].map(
        (each) => new Map(indexesOf(each).map((index) => [index.IndexName, index])),
      ) as [Map<string, VectorIndex>, Map<string, VectorIndex>];
      const names = new Set([...before.keys(), ...after.keys()]);
      const staying = [...names].filter((name) => before.has(name) && after.has(name));
      expect(names.size - staying.length).toBe(1);
      expect(staying.length).toBeGreaterThanOrEqual(2);
      for (const name of staying) expect(after.get(name)).toEqual(before.get(name));
    }
  });

  it("changes nothing else of the table", () => {
    const [first, ...others] = deployments.map(tableOf).map(({ VectorIndexes: _, ...rest }) => rest);
    for (const other of others) expect(other).toEqual(first);
  });

  it("lets every function that searches memories search the old index and the new one, and no other function", () => {
    const searching = (Object.entries(functions) as [string, FunctionSpec][])
      .filter(([, { searches }]) => searches)
      .map(([name]) => name);
    const allowed = deployments.map(({ api, jobs }) =>
      Object.fromEntries(
        [api, jobs]
          .flatMap((template) => Object.values(resourcesOf(template, "AWS::IAM::Policy")))
          .flatMap((policy) => {
            const indexes = searchedBy(policy);
            return indexes.length > 0 ? [[policy.Metadata["aws:cdk:path"].split("/")[1], indexes]] : [];
          }),
      ),
    );
    expect(searching).toEqual(expect.arrayContaining(["chat-turn", "memories-search"]));
    for (const [n, deployment] of deployments.entries()) {
      const indexes = indexesOf(deployment)
        .map(({ IndexName }) => IndexName)
        .sort();
      expect(allowed[n]).toEqual(Object.fromEntries(searching.map((name) => [name, indexes])));
    }
  });

  it("gives functions the dimensions of the two slots, without the retired index", () => {
    const { Environment } = onlyResource(deployments[1]!.api, "AWS::Lambda::Function", "/memories-search/").Properties;
    expect(Environment.Variables.EMBEDDING_DIMENSIONS).toBe("512,1024");
  });
});

/** The vector indexes that a policy lets a function search. */
function searchedBy({ Properties }: Resource): string[] {
  const statements: { Action: string | string[]; Resource: unknown }[] = Properties.PolicyDocument.Statement;
  return statements
    .filter(({ Action }) => [Action].flat().includes("dynamodb:SearchVectors"))
    .flatMap((statement) => [statement.Resource].flat())
    .map((resource) => /\/index\/(\w+)"/.exec(JSON.stringify(resource))?.[1] ?? JSON.stringify(resource))
    .sort();
}
