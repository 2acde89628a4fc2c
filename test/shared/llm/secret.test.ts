import { createServer } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Listening, listen } from "../../../infra/local/listen.ts";
import { createApiKeys } from "../../../shared/llm/api-key.ts";
import { createOpenAIModel } from "../../../shared/llm/model.openai.ts";
import { createSecretReader } from "../../../shared/llm/secret.aws.ts";
import { targetsOf } from "../../../shared/llm/targets.ts";
import { ask } from "../../support/chat-world.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";

const ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:openai-AbCdEf";

let fake: FakeOpenAI;
let server: Listening;
/** The requests to Secrets Manager. */
let requests: { target: string; body: object }[] = [];
/** Its answers, in order; afterwards, the secret. */
let script: { status: number; body: object }[] = [];
let secret = "";
let now = 0;

beforeAll(async () => {
  const manager = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    requests.push({ target: String(request.headers["x-amz-target"]), body: JSON.parse(text) });
    const { status, body } = script.shift() ?? { status: 200, body: { ARN, SecretString: secret } };
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
  });
  [server, fake] = await Promise.all([listen(manager, 0), startFakeOpenAI()]);
  vi.stubEnv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
});
beforeEach(() => {
  fake.reset();
  requests = [];
  script = [];
  secret = "sk-first";
  now = Date.now();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([server.close(), fake.close()]);
});

const keys = (more: object = {}) => createApiKeys({ key: "", secret: ARN, ...more }, createSecretReader(), () => now);
const error = (type: string, status = 400) => ({ status, body: { __type: type, Message: "no" } });

describe("the API key in Secrets Manager", () => {
  it("is read once in five minutes, also with many calls at the same time", async () => {
    const keyOf = keys();
    expect(await Promise.all([keyOf("a"), keyOf("b"), keyOf("a")])).toEqual(Array(3).fill("sk-first"));
    now += 299_000;
    await keyOf("a");
    expect(requests).toEqual([{ target: "secretsmanager.GetSecretValue", body: { SecretId: ARN } }]);
  });

  it("is the new one five minutes after it was rotated", async () => {
    const keyOf = keys();
    await keyOf("a");
    secret = "sk-second";
    now += 299_000;
    expect(await keyOf("a")).toBe("sk-first");
    now += 2000;
    expect(await keyOf("a")).toBe("sk-second");
  });

  it("is each provider's own where the secret is an object of hosts", async () => {
    secret = JSON.stringify({ "api.openai.com": "sk-openai", "other.example": "sk-other" });
    const keyOf = keys();
    expect([await keyOf("api.openai.com"), await keyOf("other.example"), await keyOf("localhost:11434")]).toEqual([
      "sk-openai",
      "sk-other",
      "none",
    ]);
  });

  it("is not read when the environment has a key, or when there is no secret", async () => {
    expect([await keys({ key: "sk-env" })("a"), await keys({ secret: "" })("a")]).toEqual(["sk-env", "none"]);
    expect(requests).toEqual([]);
  });

  it("is used without the line break that a file ends with", async () => {
    secret = "sk-first\n";
    expect(await keys()("a")).toBe("sk-first");
  });

  it("is read again by the next call when there was none", async () => {
    script = [error("ResourceNotFoundException")];
    const keyOf = keys();
    await expect(keyOf("a")).rejects.toMatchObject({ failure: "misconfigured" });
    expect(await keyOf("a")).toBe("sk-first");
  });

  it("is read again after Secrets Manager has throttled", async () => {
    script = [error("ThrottlingException"), error("InternalServiceError", 500)];
    expect(await keys()("a")).toBe("sk-first");
    expect(requests).toHaveLength(3);
  });

  it("is the last known one while it cannot be read, and is not read again by every call", async () => {
    const keyOf = keys();
    await keyOf("a");
    now += 301_000;
    script = Array.from({ length: 3 }, () => error("AccessDeniedException"));
    expect([await keyOf("a"), await keyOf("a")]).toEqual(["sk-first", "sk-first"]);
    expect(requests).toHaveLength(2);
    script = [];
    secret = "sk-second";
    now += 31_000;
    expect(await keyOf("a")).toBe("sk-second");
  });

  it.each([
    ["is missing", error("ResourceNotFoundException")],
    ["may not be read", error("AccessDeniedException")],
    ["is invalid JSON", { status: 200, body: { ARN, SecretString: "{sk-first" } }],
  ])("that %s is a failure of the deployment, not an outage of the provider", async (_what, answer) => {
    script = [answer];
    const model = createOpenAIModel(keys(), { connect: 5000, firstToken: 5000 });
    const [target] = targetsOf({ baseUrl: fake.url, model: "model-a", fallbacks: [], prices: {} });
    const request = ask();
    await expect(model(target!, await request.promptFor("model-a"), request)).rejects.toMatchObject({
      name: "ModelError",
      failure: "misconfigured",
    });
    expect(fake.requests).toEqual([]);
    // Once it is there, it is found.
    now += 301_000;
    await model(target!, await request.promptFor("model-a"), request);
    expect(fake.requests[0]!.authorization).toBe("Bearer sk-first");
  });
});
