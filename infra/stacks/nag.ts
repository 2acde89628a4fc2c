import { type App, type Stack, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import type { IConstruct } from "constructs";

/** Checks every synthesis against the AWS Solutions rules; a finding that nobody has acknowledged fails it. */
export function addNag(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

/**
 * Acknowledges findings on one construct and what is below it.
 * `reasons` maps a rule, as in `S1` or `IAM5[Resource::*]`, to why it does not hold here.
 */
export function acknowledge(construct: IConstruct, reasons: Record<string, string>): void {
  for (const [rule, reason] of Object.entries(reasons)) {
    Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
  }
}

/** The name that cdk-nag has for a wildcard below an ARN which another stack owns: that of the stack's export. */
export function wildcardBelow(owner: Stack, arn: string, suffix: string): string {
  const { "Fn::ImportValue": name } = owner.resolve(owner.exportValue(arn));
  return `IAM5[Resource::${name}${suffix}]`;
}
