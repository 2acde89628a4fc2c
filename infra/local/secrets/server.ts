import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { type Listening, listen } from "../listen.ts";

/** Characters of a secret that is made up here. */
const LENGTH = 64;

export interface Secrets extends Listening {
  /** Makes up the secret of that name, unless there is one. */
  ensureSecret(name: string): void;
}

/**
 * Answers GetSecretValue as AWS Secrets Manager does, from a file that only its owner may read. Secrets are known by name, or by an ARN
 * that ends in it.
 */
export async function startSecrets(file: string): Promise<Secrets> {
  const secrets: Record<string, string> = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};

  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1];
    const { SecretId = "" } = JSON.parse((await textOf(request)) || "{}") as { SecretId?: string };
    const name = SecretId.split(":").at(-1) ?? "";
    const value = secrets[name];
    const answer =
      operation !== "GetSecretValue"
        ? { __type: "UnknownOperationException", message: `${operation} is not known here` }
        : value === undefined
          ? { __type: "ResourceNotFoundException", message: `there is no secret ${name}` }
          : { ARN: SecretId, Name: name, SecretString: value };
    response.writeHead("__type" in answer ? 400 : 200, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(answer));
  });

  return {
    ...(await listen(server, 0)),
    ensureSecret(name) {
      if (name in secrets) return;
      secrets[name] = randomBytes(LENGTH).toString("hex").slice(0, LENGTH);
      writeFileSync(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
