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
  type UserPoolDomain,
} from "aws-cdk-lib/aws-cognito";
import { Construct } from "constructs";
import type { Options } from "../stage.ts";
import { acknowledge } from "./nag.ts";

export const TOKEN_LIFETIME = Duration.hours(1);

/** The default issuer of a deployment: a Cognito user pool with the group `admin`. */
export class UserPoolIdentity extends Construct {
  readonly pool: UserPool;
  readonly client: UserPoolClient;
  /** The client ids whose tokens the API accepts, separated by commas. */
  readonly audience: string;

  /** The domain where people sign in and clients get tokens. Absent = no client needs it. */
  readonly domain: UserPoolDomain | undefined;

  constructor(scope: Construct, id: string, { stage, backendClient, page }: Options) {
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
      COG2: "Users may add a one-time password. To require it, change the pool or use another issuer.",
      COG8: "The Plus plan costs $0.02 per user and month; the goal is an idle cost under $1.",
    });

    new CfnUserPoolGroup(this, "Admin", {
      userPoolId: this.pool.userPoolId,
      groupName: "admin",
      description: "May call the admin routes",
    });
    this.client = this.pool.addClient("Client", {
      // `adminUserPassword` needs AWS credentials in addition to the user's password.
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
    if (backendClient || page) {
      this.domain = this.pool.addDomain("Domain", {
        cognitoDomain: { domainPrefix: `memocha-${stage.name}-${Aws.ACCOUNT_ID}` },
      });
    }
    if (backendClient) {
      const backend = this.backend(OAuthScope.resourceServer(resourceServer, actAs));
      this.audience = `${this.audience},${backend.userPoolClientId}`;
    }
  }

  /** The client of a chat backend. It gets tokens with its secret, and names the user that it acts for in each request. */
  private backend(actAs: OAuthScope): UserPoolClient {
    const client = this.pool.addClient("Backend", {
      generateSecret: true,
      oAuth: { flows: { clientCredentials: true }, scopes: [actAs] },
      accessTokenValidity: TOKEN_LIFETIME,
    });
    new CfnOutput(this, "BackendClientId", { value: client.userPoolClientId });
    new CfnOutput(this, "TokenUrl", { value: `${this.domain?.baseUrl()}/oauth2/token` });
    return client;
  }
}
