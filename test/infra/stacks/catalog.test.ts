import { describe, expect, it } from "vitest";
import { messagesAll } from "../../../infra/stacks/messages-all.ts";
import { namedQueries } from "../../../infra/stacks/named-queries.ts";
import { tables } from "../../../shared/lake/tables.ts";
import { MAX_AHEAD } from "../../../shared/session/schema.ts";
import { onlyResource, resourcesOf, synthesize } from "../synthesize.ts";

const { data } = synthesize({ stage: "prod" });
const inputs = Object.fromEntries(
  Object.values(resourcesOf(data, "AWS::Glue::Table")).map(({ Properties }) => [
    Properties.TableInput.Name,
    Properties.TableInput,
  ]),
);

describe("the catalog", () => {
  it("has the tables of the lake, the archive's lines and the view over both", () => {
    expect(Object.keys(inputs)).toEqual(
      expect.arrayContaining(["archive_lines", "messages", "messages_all", "session_summaries"]),
    );
  });

  it.each(["messages", "session_summaries"] as const)("has the columns that the files of %s have", (name) => {
    const columns = inputs[name].StorageDescriptor.Columns.map(({ Name, Type }: Record<string, string>) => [
      Name,
      Type,
    ]);
    expect(columns).toEqual(tables[name].columns.map((column) => [column.name, column.type]));
    expect(inputs[name].StorageDescriptor.SerdeInfo.SerializationLibrary).toMatch(/ParquetHiveSerDe$/);
  });

  it.each([
    ["messages", "lake/messages/"],
    ["session_summaries", "lake/session_summaries/"],
    ["archive_lines", "archive/"],
  ])("has the partitions of %s without a crawler", (name, prefix) => {
    expect(inputs[name].PartitionKeys).toEqual([expect.objectContaining({ Name: "dt", Type: "string" })]);
    expect(inputs[name].Parameters).toMatchObject({
      "projection.enabled": "true",
      "projection.dt.type": "date",
      "projection.dt.format": "yyyy-MM-dd",
      "projection.dt.range": "2020-01-01,NOW+1DAYS",
      "storage.location.template": {
        "Fn::Join": ["", ["s3://", expect.anything(), `/${prefix}dt=\${dt}/`]],
      },
    });
    expect(resourcesOf(data, "AWS::Glue::Crawler")).toEqual({});
  });

  it("has the partition of every session that can be created now", () => {
    const [, days] = /,NOW\+(\d+)DAYS$/.exec(inputs.messages.Parameters["projection.dt.range"]) ?? [];
    expect(Number(days) * 86_400_000).toBe(MAX_AHEAD);
  });

  it("lists the days of events since the first one that can still have an object", () => {
    const rangeOf = (context: Record<string, string>) =>
      onlyResource(synthesize({ stage: "prod", ...context }).data, "AWS::Glue::Table", "LakeEvents").Properties
        .TableInput.Parameters["projection.dt.range"];
    expect(rangeOf({})).toBe("NOW-1095DAYS,NOW+1DAYS");
    expect(rangeOf({ "retention.event": "10d", "retention.lakeEvents": "20d" })).toBe("NOW-30DAYS,NOW+1DAYS");
  });

  it("has no user ids in the archive's lines", () => {
    const names = inputs.archive_lines.StorageDescriptor.Columns.map(({ Name }: { Name: string }) => Name);
    expect(names).toContain("session_key");
    expect(names).not.toContain("user_id");
  });

  it.each(["full", "redacted", "none"] as const)("has the view in Athena's format, with content: %s", (lakeContent) => {
    const stack = lakeContent === "redacted" ? data : synthesize({ stage: "prod", lakeContent }).data;
    const [view] = Object.values(resourcesOf(stack, "AWS::Glue::Table"))
      .map(({ Properties }) => Properties.TableInput)
      .filter(({ TableType }) => TableType === "VIRTUAL_VIEW");
    const [, encoded = ""] = /^\/\* Presto View: (\S+) \*\/$/.exec(view.ViewOriginalText) ?? [];
    const definition = JSON.parse(Buffer.from(encoded, "base64").toString());
    expect(definition).toMatchObject({
      catalog: "awsdatacatalog",
      schema: "memocha_prod",
      originalSql: messagesAll(lakeContent),
    });
    expect(definition.columns.map(({ name }: { name: string }) => name)).toEqual(
      view.StorageDescriptor.Columns.map(({ Name }: { Name: string }) => Name),
    );
    expect(view.Parameters).toEqual({ presto_view: "true", comment: "Presto View" });
    // Glue keeps a description in the parameter `comment`, and Trino then reads the view as a table.
    expect(view).not.toHaveProperty("Description");
  });
});

describe("Athena", () => {
  it("stops a query that scans more than the limit, and encrypts results", () => {
    expect(onlyResource(data, "AWS::Athena::WorkGroup").Properties.WorkGroupConfiguration).toMatchObject({
      EnforceWorkGroupConfiguration: true,
      BytesScannedCutoffPerQuery: 10 * 1024 ** 3,
      ResultConfiguration: { EncryptionConfiguration: { EncryptionOption: "SSE_S3" } },
    });
  });

  it("has the SQL of every named query", () => {
    const queries = Object.values(resourcesOf(data, "AWS::Athena::NamedQuery")).map(({ Properties }) => [
      Properties.Name,
      Properties.QueryString,
      Properties.Database,
    ]);
    expect(queries.sort()).toEqual(namedQueries().map(({ name, sql }) => [`memocha-${name}`, sql, "memocha_prod"]));
  });
});

describe("the key of users' hashes", () => {
  it("is generated by Secrets Manager and kept with the lake", () => {
    const key = onlyResource(data, "AWS::SecretsManager::Secret", "LakeKey/");
    expect(key.Properties.GenerateSecretString).toMatchObject({ PasswordLength: 64 });
    expect(key.DeletionPolicy).toBe("Retain");
  });
});
