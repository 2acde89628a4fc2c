import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { AppError } from "./errors.ts";

/** Reads a secret from AWS Secrets Manager. `what` says in an error which one. Throws `unavailable`. */
export async function readSecret(SecretId: string, what: string): Promise<string> {
  const client = new SecretsManagerClient();
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
    if (!SecretString) throw new Error("the secret is empty");
    return SecretString;
  } catch (cause) {
    throw new AppError("unavailable", `the secret with ${what} cannot be read`, { cause });
  } finally {
    client.destroy();
  }
}
