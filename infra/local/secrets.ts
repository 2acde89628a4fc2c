import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import * as z from "zod";
import type { Access } from "./iam/access.ts";
import { secretsPermission } from "./iam/permissions.ts";
import { readStoredJson } from "./read-stored.ts";
import { ServiceError, startJsonService } from "./start-service.ts";

const stored = z.record(z.string(), z.string());
const selected = z.object({ SecretId: z.string() });

/** Characters of a generated secret. */
const LENGTH = 64;

/**
 * Starts an AWS Secrets Manager with the operation GetSecretValue. It stores secrets in a file that only the owner can read, and finds
 * them by name or by ARN. It checks the roles of functions.
 */
export async function startSecrets(file: string, access?: Access) {
  const remedy =
    "Restore it from a copy, or delete it: the host generates new secrets, and hashes made with the old ones no longer match.";
  const secrets = readStoredJson(file, remedy, stored) ?? {};
  const listening = await startJsonService({
    name: "Secrets Manager",
    operations: {
      GetSecretValue(input) {
        const { SecretId } = selected.parse(input);
        const name = SecretId.split(":").at(-1) ?? "";
        const value = secrets[name];
        if (value === undefined) throw new ServiceError("ResourceNotFoundException", `Secret not found: ${name}`);
        return { ARN: SecretId, Name: name, SecretString: value };
      },
    },
    refuse: (caller, operation, input) => access?.check(caller, [secretsPermission(operation, input)]),
  });
  return {
    ...listening,
    /** Generates the secret if it does not exist. */
    ensureSecret(name: string): void {
      if (name in secrets) return;
      secrets[name] = randomBytes(LENGTH).toString("hex").slice(0, LENGTH);
      writeFileSync(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    },
  };
}
