import { App, Stack, Validations } from "aws-cdk-lib";
import { CfnBucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks } from "cdk-nag";
import { afterEach, describe, expect, it, vi } from "vitest";
import { addNag } from "../../../infra/stacks/nag.ts";
import { assemblyDirectory, build } from "../synthesize.ts";

const everyOption = {
  backendClient: "true",
  cmk: "true",
  waf: "true",
  alarmEmail: "ops@example.com",
  corsOrigins: "https://a.example,https://b.example",
};

describe("the AWS Solutions rules", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    { stage: "dev" },
    { stage: "prod" },
    { stage: "prod", ...everyOption },
    { stage: "prod", oidcIssuer: "https://login.example.com", oidcAudience: "memocha", corsOrigins: "*" },
  ])("have no finding that is not acknowledged: %o", (context) => {
    const { app } = build(context);
    addNag(app);
    app.synth();
    expect(new AwsSolutionsChecks(app).validateScope(app).violations).toEqual([]);
  });

  it("fail the synthesis when they have a finding", () => {
    const app = new App({ outdir: assemblyDirectory(), builtinCloudFormationValidation: false });
    new CfnBucket(new Stack(app, "Careless"), "Open");
    addNag(app);
    expect(() => app.synth()).toThrow("The S3 Bucket has server access logs disabled");
  });

  it.each(["dev", "prod"])("are acknowledged only where they have a finding, with a reason: %s", (stage) => {
    const acknowledged: { path: string; id: string; reason: string }[] = [];
    // Nothing is acknowledged now, so the rules report everything.
    vi.spyOn(Validations.prototype, "acknowledge").mockImplementation(function (this: Validations, ...rules) {
      // biome-ignore lint/complexity/useLiteralKeys: the construct is private.
      for (const { id, reason } of rules) acknowledged.push({ path: this["scope"].node.path, id, reason });
    });
    const { app } = build({ stage });
    app.synth();
    const found = new AwsSolutionsChecks(app)
      .validateScope(app)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath }) => `${constructPath} ${ruleName}`),
      );

    const ours = acknowledged.filter(({ id }) => id.startsWith("AwsSolutions-"));
    const unneeded = ours.filter(
      ({ path, id }) => !found.some((finding) => finding.startsWith(`${path}/`) && finding.endsWith(` ${id}`)),
    );
    expect(unneeded).toEqual([]);
    expect(ours.filter(({ reason }) => reason.length < 30)).toEqual([]);
    // None is on a whole stack.
    expect(ours.filter(({ path }) => path.split("/").length < 2)).toEqual([]);
  });
});
