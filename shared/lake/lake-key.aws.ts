import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { AppError } from "../errors.ts";

/** Reads the key of the users' hashes from AWS Secrets Manager. Throws `unavailable`. */
export async function readLakeKey(SecretId: string): Promise<string> {
  const client = new SecretsManagerClient();
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
    if (!SecretString) throw new Error("the secret is empty");
    return SecretString;
  } catch (cause) {
    throw new AppError("unavailable", "the secret with the key of the users' hashes cannot be read", { cause });
  } finally {
    client.destroy();
  }
}
