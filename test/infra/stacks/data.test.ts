import { describe, expect, it } from "vitest";
import { conversations } from "../../../shared/dynamodb/tables.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { DAY, type RetentionRule } from "../../../shared/retention/rule.ts";
import { build, onlyResource, type Resource, resourcesOf, synthesize } from "../synthesize.ts";

const dev = synthesize({ stage: "dev" }).data;
const prod = synthesize({ stage: "prod" }).data;
const table = onlyResource(prod, "AWS::DynamoDB::Table", "/Conversations/").Properties;
const archive = onlyResource(prod, "AWS::S3::Bucket", "Buckets/Archive/").Properties;

describe("the table", () => {
  it("has the keys and indexes of the specification, and is billed on demand", () => {
    expect(table.BillingMode).toBe("PAY_PER_REQUEST");
    expect(table.KeySchema).toEqual(keys(conversations.partitionKey, conversations.sortKey));
    expect(table.GlobalSecondaryIndexes).toEqual(
      Object.entries(conversations.indexes).map(([IndexName, index]) => ({
        IndexName,
        KeySchema: keys(index.partitionKey, index.sortKey),
        Projection:
          "nonKeyAttributes" in index
            ? { ProjectionType: "INCLUDE", NonKeyAttributes: index.nonKeyAttributes }
            : { ProjectionType: "KEYS_ONLY" },
      })),
    );
  });

  it("has a vector index per slot, partitioned by user, with the configured dimensions", () => {
    const { data } = synthesize({ stage: "dev", embeddingDimensions: "512,1024" });
    const { VectorIndexes, AttributeDefinitions } = onlyResource(
      data,
      "AWS::DynamoDB::Table",
      "/Conversations/",
    ).Properties;
    expect(VectorIndexes).toMatchObject([
      { IndexName: "memories_a", VectorAttribute: { AttributeName: "vector_a" }, Dimensions: 512 },
      { IndexName: "memories_b_1024", VectorAttribute: { AttributeName: "vector_b_1024" }, Dimensions: 1024 },
    ]);
    const defined = AttributeDefinitions.map(({ AttributeName }: { AttributeName: string }) => AttributeName);
    for (const { SearchSchema, DistanceFunction } of VectorIndexes) {
      expect(DistanceFunction).toBe("COSINE");
      expect(SearchSchema[0]).toEqual({ AttributeName: "memory_of", SearchSchemaElementType: "HASH" });
      for (const { AttributeName } of SearchSchema) expect(defined).toContain(AttributeName);
    }
  });

  it("expires items by the attribute expires_at", () => {
    expect(table.TimeToLiveSpecification).toEqual({ AttributeName: "expires_at", Enabled: true });
  });

  it("streams new and old images", () => {
    expect(table.StreamSpecification).toEqual({ StreamViewType: "NEW_AND_OLD_IMAGES" });
  });

  it("can be restored to any second of the last week in prod", () => {
    expect(table.PointInTimeRecoverySpecification).toEqual({
      PointInTimeRecoveryEnabled: true,
      RecoveryPeriodInDays: 7,
    });
  });
});

describe("the archive bucket", () => {
  const rules: LifecycleRule[] = archive.LifecycleConfiguration.Rules;
  const objectRows = (Object.values(retention) as RetentionRule[]).flatMap((row) =>
    "object" in row.place && (row.seconds !== null || row.coldAfterSeconds)
      ? [{ ...row, prefix: row.place.object }]
      : [],
  );

  it("has one lifecycle rule for each row of the retention policy that ages objects, and no other with a prefix", () => {
    const prefixes = rules.flatMap(({ Prefix }) => Prefix ?? []);
    expect(prefixes.sort()).toEqual(objectRows.map(({ prefix }) => prefix).sort());
  });

  it.each(objectRows)("keeps $prefix for the time in the policy", ({ prefix, seconds, coldAfterSeconds }) => {
    const rule = rules.find(({ Prefix }) => Prefix === prefix)!;
    expect(rule.Status).toBe("Enabled");
    expect(rule.ExpirationInDays).toBe(seconds === null ? undefined : seconds / DAY);
    expect(rule.Transitions).toEqual(
      coldAfterSeconds === undefined
        ? undefined
        : [{ StorageClass: "GLACIER_IR", TransitionInDays: coldAfterSeconds / DAY }],
    );
  });

  it("keeps objects, old versions and backups for the periods of the deployment", () => {
    const periods = {
      "retention.archive": "400d",
      "retention.archive.cold": "10d",
      "retention.recovery": "3d",
      "retention.queryResults": "2d",
      "retention.accessLogs": "30d",
    };
    const { data } = synthesize({ stage: "prod", ...periods });
    const rulesOf = (bucket: string): LifecycleRule[] =>
      onlyResource(data, "AWS::S3::Bucket", `Buckets/${bucket}/`).Properties.LifecycleConfiguration.Rules;
    expect(rulesOf("Archive").find(({ Prefix }) => Prefix === "archive/")).toMatchObject({
      ExpirationInDays: 400,
      Transitions: [{ TransitionInDays: 10 }],
    });
    expect(rulesOf("Archive").at(-1)).toMatchObject({ NoncurrentVersionExpiration: { NoncurrentDays: 3 } });
    expect(rulesOf("QueryResults")[0]).toMatchObject({ ExpirationInDays: 2 });
    expect(rulesOf("AccessLogs")[0]).toMatchObject({ ExpirationInDays: 30 });
    expect(
      onlyResource(data, "AWS::DynamoDB::Table", "/Conversations/").Properties.PointInTimeRecoverySpecification,
    ).toMatchObject({ RecoveryPeriodInDays: 3 });
    expect(JSON.parse(data.findOutputs("RetentionPeriods").RetentionPeriods?.Value)).toMatchObject({
      archive: 400 * DAY,
      recovery: 3 * DAY,
    });
  });

  it("keeps old versions as long as the table's backups", () => {
    expect(archive.VersioningConfiguration).toEqual({ Status: "Enabled" });
    expect(rules.find(({ Prefix }) => Prefix === undefined)).toEqual({
      Id: "upkeep",
      Status: "Enabled",
      NoncurrentVersionExpiration: { NoncurrentDays: table.PointInTimeRecoverySpecification.RecoveryPeriodInDays },
      ExpiredObjectDeleteMarker: true,
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    });
  });
});

describe("every bucket", () => {
  const buckets = Object.entries(resourcesOf(prod, "AWS::S3::Bucket"));

  it.each(buckets)("is private and encrypted, and its objects expire: %s", (_, { Properties }) => {
    expect(Properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
    expect(
      Properties.BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm,
    ).toBe("AES256");
    expect(Properties.LifecycleConfiguration.Rules.length).toBeGreaterThan(0);
  });

  it.each(buckets)("refuses requests without TLS: %s", (id) => {
    const policies = Object.values(resourcesOf(prod, "AWS::S3::BucketPolicy"));
    const policy = policies.find(({ Properties }) => Properties.Bucket.Ref === id)!;
    expect(policy.Properties.PolicyDocument.Statement).toContainEqual(
      expect.objectContaining({
        Effect: "Deny",
        Action: "s3:*",
        Principal: { AWS: "*" },
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      }),
    );
  });
});

describe("a resource that stores data", () => {
  const kinds = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Cognito::UserPool", "AWS::Glue::Database"];
  const stateful = (template: typeof dev): [string, Resource][] =>
    kinds.flatMap((kind) => Object.entries(resourcesOf(template, kind)));

  it("is kept when its stack is deleted, in prod", () => {
    expect(stateful(prod)).toHaveLength(10);
    for (const [id, resource] of stateful(prod)) {
      expect([id, resource.DeletionPolicy, resource.UpdateReplacePolicy]).toEqual([id, "Retain", "Retain"]);
    }
  });

  it("cannot be deleted by accident in prod", () => {
    expect(table.DeletionProtectionEnabled).toBe(true);
    expect(onlyResource(prod, "AWS::Cognito::UserPool").Properties.DeletionProtection).toBe("ACTIVE");
    expect(build({ stage: "prod" }).stacks.data.terminationProtection).toBe(true);
  });

  it("is destroyed with its stack in dev, with all objects", () => {
    for (const [id, resource] of stateful(dev)) {
      expect([id, resource.DeletionPolicy, resource.UpdateReplacePolicy]).toEqual([id, "Delete", "Delete"]);
    }
    const emptied = Object.values(resourcesOf(dev, "Custom::S3AutoDeleteObjects"));
    expect(emptied.map(({ Properties }) => Properties.BucketName.Ref).sort()).toEqual(
      Object.keys(resourcesOf(dev, "AWS::S3::Bucket")).sort(),
    );
    expect(onlyResource(dev, "AWS::DynamoDB::Table", "/Conversations/").Properties.DeletionProtectionEnabled).toBe(
      false,
    );
    expect(onlyResource(dev, "AWS::Athena::WorkGroup").Properties.RecursiveDeleteOption).toBe(true);
    expect(build({ stage: "dev" }).stacks.data.terminationProtection).toBe(false);
  });
});

describe("analysts", () => {
  const { WorkGroupConfiguration } = onlyResource(prod, "AWS::Athena::WorkGroup").Properties;

  it("query in a workgroup that limits the bytes of a scan and encrypts results", () => {
    expect(WorkGroupConfiguration.EnforceWorkGroupConfiguration).toBe(true);
    expect(WorkGroupConfiguration.BytesScannedCutoffPerQuery).toBe(10 * 1024 ** 3);
    expect(WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration).toEqual({ EncryptionOption: "SSE_S3" });
  });

  it("find the lake in a database of the stage", () => {
    expect(onlyResource(prod, "AWS::Glue::Database").Properties.DatabaseInput.Name).toBe("memocha_prod");
    expect(onlyResource(dev, "AWS::Glue::Database").Properties.DatabaseInput.Name).toBe("memocha_dev");
  });
});

describe("users", () => {
  it("are in a pool with a client, the group admin and the scope act-as", () => {
    expect(onlyResource(prod, "AWS::Cognito::UserPoolGroup").Properties.GroupName).toBe("admin");
    expect(onlyResource(prod, "AWS::Cognito::UserPoolClient").Properties.GenerateSecret).toBeUndefined();
    expect(onlyResource(prod, "AWS::Cognito::UserPoolResourceServer").Properties).toMatchObject({
      Identifier: "memocha",
      Scopes: [{ ScopeName: "act-as" }],
    });
  });

  it("are those of another issuer if the deployment names one", () => {
    const own = synthesize({ stage: "prod", oidcIssuer: "https://login.example.com", oidcAudience: "memocha" });
    expect(resourcesOf(own.data, "AWS::Cognito::UserPool")).toEqual({});
    const authorizer = onlyResource(own.api, "AWS::Lambda::Function", "auth-authorizer");
    expect(authorizer.Properties.Environment.Variables).toMatchObject({
      OIDC_ISSUER: "https://login.example.com",
      OIDC_AUDIENCE: "memocha",
    });
  });

  it("can have a backend client that acts for them", () => {
    const { data, api } = synthesize({ stage: "prod", backendClient: "true" });
    const backend = onlyResource(data, "AWS::Cognito::UserPoolClient", "Backend").Properties;
    expect(backend).toMatchObject({ GenerateSecret: true, AllowedOAuthFlows: ["client_credentials"] });
    expect(JSON.stringify(backend.AllowedOAuthScopes)).toContain("/act-as");
    const audience = onlyResource(api, "AWS::Lambda::Function", "auth-authorizer").Properties.Environment.Variables
      .OIDC_AUDIENCE["Fn::Join"][1];
    // The clients of people, of the backend and of the page.
    expect(audience).toHaveLength(5);
    expect([audience[1], audience[3]]).toEqual([",", ","]);
  });

  it("sign in to the page with the code flow, at the URLs of the stage and of the option pageUrls", () => {
    const { data, api } = synthesize({ stage: "prod", pageUrls: "https://chat.example.com/" });
    const client = onlyResource(api, "AWS::Cognito::UserPoolClient").Properties;
    expect(client).toMatchObject({ AllowedOAuthFlows: ["code"], AllowedOAuthScopes: ["openid", "email"] });
    expect(client).not.toHaveProperty("GenerateSecret");
    expect(JSON.stringify(client.CallbackURLs)).toMatch(/execute-api.*\/prod\/.*https:\/\/chat\.example\.com\//);
    expect(client.LogoutURLs).toEqual(client.CallbackURLs);
    const { PAGE_CLIENT_ID, PAGE_ORIGINS } = onlyResource(api, "AWS::Lambda::Function", "page-get").Properties
      .Environment.Variables;
    expect(PAGE_CLIENT_ID).toEqual({ Ref: expect.stringMatching(/^PageClient/) });
    expect(JSON.stringify(PAGE_ORIGINS)).toContain("amazoncognito.com");
    expect(Object.keys(resourcesOf(data, "AWS::Cognito::UserPoolDomain"))).toHaveLength(1);
  });

  it("have no page and no sign-in domain if the deployment has no page", () => {
    const { data, api } = synthesize({ stage: "prod", page: "false" });
    expect(resourcesOf(data, "AWS::Cognito::UserPoolDomain")).toEqual({});
    expect(resourcesOf(api, "AWS::Cognito::UserPoolClient")).toEqual({});
    const names = Object.values(resourcesOf(api, "AWS::Lambda::Function")).map(
      ({ Metadata }) => Metadata["aws:cdk:path"],
    );
    expect(names.filter((name) => name.includes("page-"))).toEqual([]);
  });

  it("sign in to the page at another issuer with the client that the deployment names", () => {
    const oidc = { oidcIssuer: "https://login.example.com", oidcAudience: "memocha" };
    const own = synthesize({ stage: "prod", ...oidc, pageClientId: "page", pageOrigins: "https://tokens.example.com" });
    expect(onlyResource(own.api, "AWS::Lambda::Function", "page-get").Properties.Environment.Variables).toMatchObject({
      OIDC_ISSUER: "https://login.example.com",
      PAGE_CLIENT_ID: "page",
      PAGE_ORIGINS: { "Fn::Join": ["", expect.arrayContaining([".s3.", ",https://tokens.example.com"])] },
    });
  });
});

describe("outputs", () => {
  it("name the resources that operators and analysts need", () => {
    const names = Object.keys(prod.findOutputs("*")).filter((name) => !name.startsWith("ExportsOutput"));
    expect(names.sort()).toEqual([
      "ArchiveBucketName",
      "AthenaWorkgroupName",
      "ConversationsTableName",
      "LakeContent",
      "LakeDatabaseName",
      "MetricsTableName",
      "UserPoolClientId",
      "UserPoolId",
    ]);
  });
});

interface LifecycleRule {
  Status: string;
  Prefix?: string;
  ExpirationInDays?: number;
  Transitions?: object[];
}

function keys(partitionKey: string, sortKey: string): object[] {
  return [
    { AttributeName: partitionKey, KeyType: "HASH" },
    { AttributeName: sortKey, KeyType: "RANGE" },
  ];
}
