import { type App, type Stack, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import type { IConstruct } from "constructs";

/** Checks every synthesis against the AWS Solutions rules. A finding that is not acknowledged fails the synthesis. */
export function addNag(app: App): void {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

/**
 * Acknowledges findings on a construct and its children.
 * `reasons` maps a rule, such as `S1` or `IAM5[Resource::*]`, to the reason why it does not apply here.
 */
export function acknowledge(construct: IConstruct, reasons: Record<string, string>): void {
  for (const [rule, reason] of Object.entries(reasons)) {
    Validations.of(construct).acknowledge({ id: `AwsSolutions-${rule}`, reason });
  }
}

/** Returns cdk-nag's name of a wildcard below an ARN of another stack. It contains the name of that stack's export. */
export function wildcardBelow(owner: Stack, arn: string, suffix: string): string {
  const { "Fn::ImportValue": name } = owner.resolve(owner.exportValue(arn));
  return `IAM5[Resource::${name}${suffix}]`;
}
