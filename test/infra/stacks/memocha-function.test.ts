import { describe, expect, it } from "vitest";
import { type FunctionSpec, metricsActionsOf, outboxActionsOf } from "../../../infra/function-spec.ts";
import { functions } from "../../../infra/functions.ts";
import { loadConfig } from "../../../shared/config.ts";
import { onlyResource, resourcesOf, synthesize } from "../synthesize.ts";

const { api, jobs } = synthesize({ stage: "prod", sessionTtlSeconds: "3600", corsOrigins: "https://a.example" });
const specs = Object.entries(functions) as [string, FunctionSpec][];
const deployed = (name: string, type = "AWS::Lambda::Function") =>
  onlyResource(name.startsWith("jobs-") ? jobs : api, type, `/${name}/`);

describe("each function", () => {
  it.each(specs)("has the handler, memory and timeout of its spec: %s", (name, spec) => {
    const { handler = "handler", memory = 512, timeout = 29, traced = true } = spec;
    const { Properties } = deployed(name);
    expect(Properties).toMatchObject({
      Architectures: ["arm64"],
      Runtime: "nodejs24.x",
      Handler: `index.${handler}`,
      MemorySize: memory,
      Timeout: timeout,
    });
    expect(Properties.TracingConfig).toEqual(traced ? { Mode: "Active" } : undefined);
  });

  it.each(specs)("logs to its own group, whose logs expire: %s", (name) => {
    const [id] = Object.entries(resourcesOf(name.startsWith("jobs-") ? jobs : api, "AWS::Logs::LogGroup")).find(
      ([, { Metadata }]) => Metadata["aws:cdk:path"].includes(`/${name}/`),
    )!;
    expect(deployed(name).Properties.LoggingConfig).toEqual({ LogGroup: { Ref: id } });
    expect(deployed(name, "AWS::Logs::LogGroup").Properties.RetentionInDays).toBe(90);
  });

  it.each(specs)("has the variables that it needs, and none that the configuration does not read: %s", (name, spec) => {
    const { NODE_OPTIONS, ...told } = deployed(name).Properties.Environment.Variables;
    expect(NODE_OPTIONS).toBe("--enable-source-maps");
    expect(Object.keys(loadConfig())).toEqual(expect.arrayContaining(Object.keys(told)));
    expect(Object.keys(told).sort()).toEqual(
      [
        "MEMOCHA_VERSION",
        "MEMOCHA_STAGE",
        ...(name === "jobs-archive" ? ["MAX_SESSIONS_PER_USER"] : []),
        ...(name === "jobs-watch" ? ["MONTHLY_BUDGET_USD"] : []),
        ...(spec.table || spec.indexes ? ["CONVERSATIONS_TABLE", "SESSION_TTL_SECONDS"] : []),
        ...(metricsActionsOf(spec).length || spec.metricIndexes ? ["METRICS_TABLE"] : []),
        ...(spec.chat === "ask" ? ["CHAT_MODEL"] : []),
        ...(spec.chat === "plans" ? ["PLANS"] : []),
        ...(spec.chat === "providers" ? ["CHAT_MODEL"] : []),
        ...(spec.deadLetters ? ["DEAD_LETTERS_URL"] : []),
        ...(spec.embeds ? ["EMBEDDING_MODEL", "EMBEDDING_DIMENSIONS"] : []),
        ...(spec.privacyKey ? ["PRIVACY_KEY_SECRET"] : []),
        ...(spec.accounts ? ["USER_POOL_ID"] : []),
        ...(name === "jobs-erase" ? ["LONGEST_REQUEST"] : []),
        ...(spec.archive || spec.files || spec.exports || spec.reports || spec.lake ? ["ARCHIVE_BUCKET"] : []),
        ...(spec.lake && name !== "jobs-measure" ? ["LAKE_KEY_SECRET", "LAKE_CONTENT"] : []),
        ...(spec.hashesUsers ? ["LAKE_KEY_SECRET"] : []),
        ...(outboxActionsOf(spec).length ? ["AUDIT_OUTBOX_TABLE"] : []),
        ...(spec.exportTable ? ["EXPORTS_TABLE"] : []),
        ...(spec.audit ? ["AUDIT_TABLE"] : []),
        ...(spec.trigger.kind === "http" ? ["CORS_ORIGINS"] : []),
        ...(spec.trigger.kind === "http" && spec.trigger.operation === "getPage"
          ? ["OIDC_ISSUER", "PAGE_CLIENT_ID", "PAGE_ORIGINS"]
          : []),
        ...(spec.issuer ? ["PAGE_CLIENT_ID", "MCP_REDIRECT_URLS"] : []),
        ...(spec.trigger.kind === "authorizer" || spec.issuer ? ["OIDC_ISSUER", "OIDC_AUDIENCE"] : []),
      ].sort(),
    );
  });

  it("gives the erasure job the duration of the longest request", () => {
    expect(deployed("jobs-erase").Properties.Environment.Variables.LONGEST_REQUEST).toBe("330");
  });

  it("has the TTL of sessions in its environment", () => {
    expect(deployed("messages-append").Properties.Environment.Variables).toMatchObject({
      SESSION_TTL_SECONDS: "3600",
      CORS_ORIGINS: "https://a.example",
    });
  });
});
