import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TemplateResource } from "../../../infra/local/assembly/read-assembly.ts";

interface FixtureRoute {
  method: string;
  path: string;
  function?: string;
  authorizer?: boolean;
  streaming?: boolean;
  /** Milliseconds. */
  timeout?: number;
  /** Further properties of the method. */
  properties?: object;
}

export interface FixtureFunction {
  /** Source of index.mjs. */
  code: string;
  /** Further properties of the function. */
  properties?: object;
  /** Policy statements of its role. */
  policy?: object[];
}

export interface Fixture {
  /** Per name, the source, or the source and properties. */
  functions?: Record<string, string | FixtureFunction>;
  routes?: FixtureRoute[];
  /** Other resources, by logical id. */
  resources?: Record<string, TemplateResource>;
  /** Properties of the authorizer. Its function has the name `authorizer`. */
  authorizer?: object;
  outputs?: object;
}

/** Creates a temporary directory. `remove` deletes it. */
export function temporaryDirectory(): { directory: string; remove(): void } {
  const directory = mkdtempSync(path.join(tmpdir(), "memocha-test-"));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Writes a cloud assembly as CDK does, with one stack named `Fixture`. */
export function writeAssembly(directory: string, { functions = {}, outputs, ...fixture }: Fixture): void {
  const files: Record<string, object> = {};
  const resources: Record<string, object> = {
    ...apiResources(fixture),
    ...gatewayPermissions(fixture),
    ...fixture.resources,
  };
  for (const [name, given] of Object.entries(functions)) {
    const { code, properties, policy } = typeof given === "string" ? { code: given } : given;
    mkdirSync(path.join(directory, `asset.${name}`), { recursive: true });
    writeFileSync(path.join(directory, `asset.${name}`, "index.mjs"), code);
    files[name] = {
      source: { path: `asset.${name}`, packaging: "zip" },
      destinations: { current: { bucketName: "assets", objectKey: `${name}.zip` } },
    };
    resources[name] = {
      Type: "AWS::Lambda::Function",
      Properties: {
        FunctionName: name,
        Code: { S3Bucket: { "Fn::Join": ["-", ["assets", { Ref: "AWS::AccountId" }]] }, S3Key: `${name}.zip` },
        Handler: "index.handler",
        Role: { "Fn::GetAtt": [`${name}Role`, "Arn"] },
        Runtime: "nodejs24.x",
        Timeout: 10,
        MemorySize: 128,
        ...properties,
      },
    };
    resources[`${name}Role`] = roleOf("lambda.amazonaws.com", policy);
  }
  const write = (file: string, content: object) => writeFileSync(path.join(directory, file), JSON.stringify(content));
  write("Fixture.template.json", { Resources: resources, Outputs: outputs ?? {} });
  write("Fixture.assets.json", { files });
  write("manifest.json", {
    artifacts: {
      "Fixture.assets": { type: "cdk:asset-manifest", properties: { file: "Fixture.assets.json" } },
      Fixture: { type: "aws:cloudformation:stack", properties: { templateFile: "Fixture.template.json" } },
    },
  });
}

/** A role that an AWS service can assume, with this policy and the right to write logs. */
export function roleOf(service: string, statements: object[] | undefined): TemplateResource {
  const trust = { Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" };
  const policy = { PolicyName: "policy", PolicyDocument: { Statement: statements } };
  return {
    Type: "AWS::IAM::Role",
    Properties: {
      AssumeRolePolicyDocument: { Statement: [trust] },
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
      ...(statements && { Policies: [policy] }),
    },
  };
}

/** Allows an AWS service to invoke a function. */
export function invokePermission(name: string, Principal: string, SourceArn?: object): TemplateResource {
  const FunctionName = { "Fn::GetAtt": [name, "Arn"] };
  return {
    Type: "AWS::Lambda::Permission",
    Properties: { Action: "lambda:InvokeFunction", FunctionName, Principal, ...(SourceArn && { SourceArn }) },
  };
}

/** The permissions that CDK writes per integration and authorizer. A resource of the fixture with the same id replaces one. */
function gatewayPermissions({ routes = [], authorizer }: Fixture): Record<string, TemplateResource> {
  const names = routes.flatMap((route) => route.function ?? []);
  const SourceArn = {
    "Fn::Sub": `arn:\${AWS::Partition}:execute-api:\${AWS::Region}:\${AWS::AccountId}:\${Api}/*`,
  };
  return Object.fromEntries(
    [...new Set([...names, ...(authorizer ? ["authorizer"] : [])])].map((name) => [
      `${name}Gateway`,
      invokePermission(name, "apigateway.amazonaws.com", SourceArn),
    ]),
  );
}

function apiResources({ routes = [], authorizer }: Fixture): Record<string, TemplateResource> {
  if (routes.length === 0) return {};
  const RestApiId = { Ref: "Api" };
  const resources: Record<string, TemplateResource> = {
    Api: { Type: "AWS::ApiGateway::RestApi", Properties: { Name: "fixture" } },
    Stage: { Type: "AWS::ApiGateway::Stage", Properties: { RestApiId, StageName: "test" } },
    ...(authorizer && {
      Authorizer: {
        Type: "AWS::ApiGateway::Authorizer",
        Properties: {
          RestApiId,
          Type: "TOKEN",
          IdentitySource: "method.request.header.Authorization",
          AuthorizerUri: functionUri("authorizer", false),
          ...authorizer,
        },
      },
    }),
  };
  const ids = new Map<string, object>([["", { "Fn::GetAtt": ["Api", "RootResourceId"] }]]);
  for (const route of routes) {
    const parts = route.path.split("/").filter(Boolean);
    parts.forEach((PathPart, at) => {
      const full = `/${parts.slice(0, at + 1).join("/")}`;
      if (ids.has(full)) return;
      const id = `Resource${ids.size}`;
      const ParentId = ids.get(at === 0 ? "" : `/${parts.slice(0, at).join("/")}`);
      resources[id] = { Type: "AWS::ApiGateway::Resource", Properties: { RestApiId, PathPart, ParentId } };
      ids.set(full, { Ref: id });
    });
    const ResourceId = ids.get(parts.length === 0 ? "" : `/${parts.join("/")}`);
    resources[`Method${Object.keys(resources).length}`] = {
      Type: "AWS::ApiGateway::Method",
      Properties: {
        RestApiId,
        ResourceId,
        HttpMethod: route.method,
        AuthorizationType: route.authorizer ? "CUSTOM" : "NONE",
        ...(route.authorizer && { AuthorizerId: { Ref: "Authorizer" } }),
        ...(route.function && {
          Integration: {
            Type: "AWS_PROXY",
            IntegrationHttpMethod: "POST",
            Uri: functionUri(route.function, route.streaming ?? false),
            ...(route.timeout && { TimeoutInMillis: route.timeout }),
          },
        }),
        ...route.properties,
      },
    };
  }
  return resources;
}

function functionUri(name: string, streaming: boolean): object {
  const [version, action] = streaming
    ? ["2021-11-15", "response-streaming-invocations"]
    : ["2015-03-31", "invocations"];
  return {
    "Fn::Join": [
      "",
      [
        "arn:",
        { Ref: "AWS::Partition" },
        ":apigateway:",
        { Ref: "AWS::Region" },
        `:lambda:path/${version}/functions/`,
        { "Fn::GetAtt": [name, "Arn"] },
        `/${action}`,
      ],
    ],
  };
}
