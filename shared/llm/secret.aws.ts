import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { ReadSecret } from "./api-key.ts";
import { ModelError } from "./model-error.ts";

/** Errors that only the operator can repair. */
const MISCONFIGURED = new Set(["ResourceNotFoundException", "AccessDeniedException", "DecryptionFailure"]);

/** Reads secrets from AWS Secrets Manager. Throws a `ModelError`. */
export function createSecretReader(): ReadSecret {
  let client: SecretsManagerClient | undefined;
  return async (SecretId) => {
    client ??= new SecretsManagerClient({});
    try {
      const { SecretString = "" } = await client.send(new GetSecretValueCommand({ SecretId }));
      return SecretString;
    } catch (cause) {
      const failure = MISCONFIGURED.has((cause as Error).name) ? "misconfigured" : "unusable";
      throw new ModelError(failure, "the secret with the API key cannot be read", { cause });
    }
  };
}
