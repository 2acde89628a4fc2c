import { createHash, createHmac } from "node:crypto";
import { request as send } from "node:http";

/** A request that the SDK never sends, with a signature that is computed without the SDK. */
export interface RawRequest {
  method: string;
  /** `http://127.0.0.1:<port>` */
  endpoint: string;
  path: string;
  headers?: Record<string, string>;
  /** Headers that the signature does not cover. */
  unsigned?: Record<string, string>;
  /** `x-amz-content-sha256` @default UNSIGNED-PAYLOAD */
  payload?: string;
  body?: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  now?: Date;
}

export async function sendRaw(request: RawRequest): Promise<{ status: number; body: string }> {
  const time = (request.now ?? new Date()).toISOString().replace(/[-:]|\.\d+/g, "");
  const payload = request.payload ?? "UNSIGNED-PAYLOAD";
  const { host } = new URL(request.endpoint);
  const headers: Record<string, string> = {
    host,
    "x-amz-content-sha256": payload,
    "x-amz-date": time,
    ...request.headers,
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    request.method,
    request.path,
    "",
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    payload,
  ].join("\n");
  const scope = `${time.slice(0, 8)}/eu-west-3/s3/aws4_request`;
  const key = scope
    .split("/")
    .reduce<Buffer>((secret, part) => hmac(secret, part), Buffer.from(`AWS4${request.credentials.secretAccessKey}`));
  const signature = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  const { body } = request;
  const authorization = `AWS4-HMAC-SHA256 Credential=${request.credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(request.endpoint);
    const outgoing = send(
      {
        hostname,
        port,
        method: request.method,
        path: request.path,
        headers: {
          ...headers,
          ...request.unsigned,
          authorization,
          ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
        },
      },
      async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode ?? 0, body: text });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
