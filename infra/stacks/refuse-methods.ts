import { AuthorizationType, ContentHandling, type IResource, MockIntegration } from "aws-cdk-lib/aws-apigateway";
import { acknowledge } from "./nag.ts";

/**
 * Makes the gateway answer 405 to `GET` and `DELETE` of a resource that has only `POST`. Clients of MCP request a stream with `GET`, and
 * end a session with `DELETE`: 405 tells them that this server has neither (revision 2025-06-18, "Streamable HTTP"). The answer has no data
 * of a user, so pages of every origin may read it.
 */
export function refuseMethods(resource: IResource, corsOrigins: readonly string[]): void {
  const headers = { Allow: "'POST'", ...(corsOrigins.length > 0 ? { "Access-Control-Allow-Origin": "'*'" } : {}) };
  const named = <T>(of: (value: string) => T) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [`method.response.header.${name}`, of(value)]));
  for (const verb of ["GET", "DELETE"]) {
    const integration = new MockIntegration({
      // Without it the gateway answers 500, because the API declares JSON as binary: see `addPreflights`.
      contentHandling: ContentHandling.CONVERT_TO_TEXT,
      requestTemplates: { "application/json": "{ statusCode: 200 }" },
      integrationResponses: [{ statusCode: "405", responseParameters: named((value) => value) }],
    });
    const method = resource.addMethod(verb, integration, {
      authorizationType: AuthorizationType.NONE,
      methodResponses: [{ statusCode: "405", responseParameters: named(() => true) }],
    });
    const reason = "The gateway gives everyone the same answer, so there is nothing to authorize.";
    acknowledge(method, { APIG4: reason, COG4: reason });
  }
}
