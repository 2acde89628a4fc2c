import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import * as z from "zod";
import type { Access } from "../iam/access.ts";
import { secretsPermissions } from "../iam/permissions/other-services.ts";
import { accessKeyOf } from "../iam/signature-v4.ts";
import { type Listening, listen, unsignedReason } from "../listen.ts";
import { readStored } from "../read-stored.ts";

const stored = z.record(z.string(), z.string());

/** Characters of a generated secret. */
const LENGTH = 64;

export interface Secrets extends Listening {
  /** Generates the secret if it does not exist. */
  ensureSecret(name: string): void;
}

/**
 * Starts an AWS Secrets Manager with the operation GetSecretValue. It stores secrets in a file that only the owner can read, and finds
 * them by name or by ARN. It checks the roles of functions.
 */
export async function startSecrets(file: string, access?: Access): Promise<Secrets> {
  const remedy =
    "Restore it from a copy, or delete it: the host generates new secrets, and hashes made with the old ones no longer match.";
  const secrets = existsSync(file)
    ? readStored(file, remedy, () => stored.parse(JSON.parse(readFileSync(file, "utf8"))))
    : {};

  const server = createServer((request, response) => {
    answer(request).then(
      (body) => respond(response, 200, body),
      (error: Error) => respond(response, 400, { __type: error.name, message: error.message }),
    );
  });

  async function answer(request: IncomingMessage): Promise<object> {
    const unsigned = unsignedReason(request.headers);
    if (unsigned) throw named("MissingAuthenticationTokenException", unsigned);
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    const { SecretId = "" } = parse(await text(request));
    const refusal = access?.check(accessKeyOf(request), secretsPermissions(operation, { SecretId }));
    if (refusal) throw named("AccessDeniedException", refusal.message);
    if (operation !== "GetSecretValue")
      throw named("UnknownOperationException", `the local Secrets Manager does not support ${operation}`);
    const name = SecretId.split(":").at(-1) ?? "";
    const value = secrets[name];
    if (value === undefined) throw named("ResourceNotFoundException", `Secret not found: ${name}`);
    return { ARN: SecretId, Name: name, SecretString: value };
  }

  return {
    ...(await listen(server, 0)),
    ensureSecret(name) {
      if (name in secrets) return;
      secrets[name] = randomBytes(LENGTH).toString("hex").slice(0, LENGTH);
      writeFileSync(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    },
  };
}

function parse(body: string): { SecretId?: string } {
  try {
    return JSON.parse(body || "{}");
  } catch {
    throw named("SerializationException", "The body must be JSON");
  }
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify(body));
}

const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
