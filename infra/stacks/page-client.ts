import { Aws, Duration } from "aws-cdk-lib";
import type { RestApi } from "aws-cdk-lib/aws-apigateway";
import { OAuthScope, UserPoolClient } from "aws-cdk-lib/aws-cognito";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import type { Options } from "../stage.ts";
import type { DataStack } from "./data.ts";
import { TOKEN_LIFETIME } from "./identity.ts";

interface PageClientProps {
  options: Options;
  data: DataStack;
  api: RestApi;
}

/**
 * Returns the URL of an API's stage, with a slash at its end. Unlike `api.url`, it does not depend on the deployment, so resources that the
 * deployment depends on can contain it.
 */
export function stageUrl({ restApiId }: RestApi, { stage }: Options): string {
  return `https://${restApiId}.execute-api.${Aws.REGION}.${Aws.URL_SUFFIX}/${stage.name}/`;
}

/** The public client with which the page and MCP clients sign in, at the user pool (code flow with PKCE) or at the deployment's own issuer. */
export class PageClient extends Construct {
  private readonly props: PageClientProps;
  private readonly client: UserPoolClient | undefined;

  constructor(scope: Construct, id: string, props: PageClientProps) {
    super(scope, id);
    this.props = props;
    const { data, api, options } = props;
    if (!data.identity) return;
    const urls = [stageUrl(api, options), ...options.pageUrls];
    this.client = new UserPoolClient(this, "Client", {
      userPool: data.identity.pool,
      authFlows: {},
      oAuth: {
        flows: { authorizationCodeGrant: true },
        scopes: [OAuthScope.OPENID, OAuthScope.EMAIL],
        callbackUrls: [...urls, ...options.mcpRedirectUrls],
        logoutUrls: urls,
      },
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      accessTokenValidity: TOKEN_LIFETIME,
      idTokenValidity: TOKEN_LIFETIME,
      // A longer lifetime would not help, because the page keeps its tokens only in memory.
      refreshTokenValidity: Duration.days(1),
    });
  }

  /** Configures the page's function with the issuer and the origins that the page may call. */
  configure(lambda: LambdaFunction): void {
    const { options, data } = this.props;
    const domain = data.identity?.domain?.baseUrl();
    // Files are uploaded to the bucket and downloaded from it.
    const files = `https://${data.buckets.archive.bucketName}.s3.${Aws.REGION}.${Aws.URL_SUFFIX}`;
    lambda.addEnvironment("OIDC_ISSUER", data.oidc.issuer);
    lambda.addEnvironment("PAGE_CLIENT_ID", this.client?.userPoolClientId ?? options.pageClientId);
    lambda.addEnvironment("PAGE_ORIGINS", [...(domain ? [domain] : []), files, ...options.pageOrigins].join(","));
  }

  /** Configures the functions for the sign-in of MCP clients in a browser. */
  configureMcp(lambda: LambdaFunction): void {
    lambda.addEnvironment("PAGE_CLIENT_ID", this.client?.userPoolClientId ?? this.props.options.pageClientId);
    lambda.addEnvironment("MCP_REDIRECT_URLS", this.props.options.mcpRedirectUrls.join(","));
  }

  /** Makes a function that checks tokens accept the page's tokens. */
  accept(lambda: LambdaFunction): void {
    if (!this.client) return;
    lambda.addEnvironment("OIDC_AUDIENCE", `${this.props.data.oidc.audience},${this.client.userPoolClientId}`);
  }
}
