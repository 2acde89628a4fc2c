import { Aws, CfnOutput, Duration } from "aws-cdk-lib";
import {
  AccountRecovery,
  CfnUserPoolGroup,
  FeaturePlan,
  Mfa,
  OAuthScope,
  ResourceServerScope,
  UserPool,
  type UserPoolClient,
} from "aws-cdk-lib/aws-cognito";
import { Construct } from "constructs";
import type { Options } from "../stage.ts";
import { acknowledge } from "./nag.ts";

const TOKEN_LIFETIME = Duration.hours(1);

/** The issuer that a deployment has when it names no other: a Cognito user pool with the group `admin`. */
export class UserPoolIdentity extends Construct {
  readonly pool: UserPool;
  readonly client: UserPoolClient;
  /** The clients whose tokens are accepted, separated by commas. */
  readonly audience: string;

  constructor(scope: Construct, id: string, { stage, backendClient }: Options) {
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
    this.client = this.pool.addClient("Client", {
      // Signing in as an administrator takes AWS credentials besides the user's password.
      authFlows: { userSrp: true, adminUserPassword: true },
      disableOAuth: true,
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      accessTokenValidity: TOKEN_LIFETIME,
      idTokenValidity: TOKEN_LIFETIME,
    });

    const actAs = new ResourceServerScope({
      scopeName: "act-as",
      scopeDescription: "Name the user it acts for in X-User-Id",
    });
    const resourceServer = this.pool.addResourceServer("Api", { identifier: "memocha", scopes: [actAs] });
    this.audience = this.client.userPoolClientId;
    if (backendClient) {
      const backend = this.backend(stage.name, OAuthScope.resourceServer(resourceServer, actAs));
      this.audience = `${this.audience},${backend.userPoolClientId}`;
    }
  }

  /** The client of a chat backend, which gets tokens for itself by its secret and says for whom it acts. */
  private backend(stage: string, actAs: OAuthScope): UserPoolClient {
    const domain = this.pool.addDomain("Domain", {
      cognitoDomain: { domainPrefix: `memocha-${stage}-${Aws.ACCOUNT_ID}` },
    });
    const client = this.pool.addClient("Backend", {
      generateSecret: true,
      oAuth: { flows: { clientCredentials: true }, scopes: [actAs] },
      accessTokenValidity: TOKEN_LIFETIME,
    });
    new CfnOutput(this, "BackendClientId", { value: client.userPoolClientId });
    new CfnOutput(this, "TokenUrl", { value: `${domain.baseUrl()}/oauth2/token` });
    return client;
  }
}
