import type { Duration } from "aws-cdk-lib";
import {
  AccountRecovery,
  CfnUserPoolGroup,
  FeaturePlan,
  Mfa,
  ResourceServerScope,
  UserPool,
  type UserPoolClient,
} from "aws-cdk-lib/aws-cognito";
import { Construct } from "constructs";
import { acknowledge } from "../nag.ts";
import type { Stage } from "../stage.ts";

interface UserPoolIdentityProps {
  stage: Stage;
  tokenLifetime: Duration;
}

/** The issuer that a deployment has when it names no other: a Cognito user pool with the group `admin`. */
export class UserPoolIdentity extends Construct {
  readonly pool: UserPool;
  readonly client: UserPoolClient;

  constructor(scope: Construct, id: string, { stage, tokenLifetime }: UserPoolIdentityProps) {
    super(scope, id);
    this.pool = new UserPool(this, "Users", {
      featurePlan: FeaturePlan.LITE,
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      mfa: Mfa.OPTIONAL,
      mfaSecondFactor: { otp: true, sms: false },
      passwordPolicy: {
        minLength: 12,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
      },
      deletionProtection: stage.durable,
      removalPolicy: stage.removalPolicy,
    });
    acknowledge(this.pool, {
      COG2: "Users may add a one-time password; who demands it of them sets it on the pool, or brings an issuer of their own.",
      COG8: "The Plus plan costs $0.02 a user and month; the goal is an idle cost under $1.",
    });

    new CfnUserPoolGroup(this, "Admin", {
      userPoolId: this.pool.userPoolId,
      groupName: "admin",
      description: "May call the admin routes",
    });
    // A client of this scope is a chat backend's own; Cognito charges for each, so ops make it when they need one.
    this.pool.addResourceServer("Api", {
      identifier: "memocha",
      scopes: [
        new ResourceServerScope({ scopeName: "act-as", scopeDescription: "Name the user it acts for in X-User-Id" }),
      ],
    });
    this.client = this.pool.addClient("Client", {
      // Signing in as an administrator takes AWS credentials besides the user's password.
      authFlows: { userSrp: true, adminUserPassword: true },
      disableOAuth: true,
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      accessTokenValidity: tokenLifetime,
      idTokenValidity: tokenLifetime,
    });
  }
}
