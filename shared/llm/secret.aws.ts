import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { ReadSecret } from "./api-key.ts";
import { ModelError } from "./model-error.ts";

/** Reads secrets from AWS Secrets Manager. Throws a `ModelError`. */
export function createSecretReader(): ReadSecret {
  let client: SecretsManagerClient | undefined;
  return async (SecretId) => {
    client ??= new SecretsManagerClient({});
    try {
      const { SecretString = "" } = await client.send(new GetSecretValueCommand({ SecretId }));
      return SecretString;
    } catch (cause) {
      throw new ModelError("unusable", "the secret with the API key cannot be read", { cause });
    }
  };
}
