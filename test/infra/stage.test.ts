import { RootConstruct } from "constructs";
import { describe, expect, it } from "vitest";
import { readOptions } from "../../infra/stage.ts";

function read(context: Record<string, unknown>) {
  const { node } = new RootConstruct();
  for (const [name, value] of Object.entries(context)) node.setContext(name, value);
  return readOptions(node);
}

describe("the options of a deployment", () => {
  it("have defaults, except for the stage", () => {
    const options = read({ stage: "dev" });
    expect(options.stage).toMatchObject({ name: "dev", durable: false });
    expect(options).toMatchObject({
      sessionTtlSeconds: 604_800,
      oidc: undefined,
      corsOrigins: [],
      alarmEmail: undefined,
      dashboard: true,
      backendClient: false,
      page: true,
      pageUrls: [],
      pageClientId: "",
      pageOrigins: [],
      cmk: false,
      waf: false,
      embeddingDimensions: { a: 512, b: 200 },
      retiredVectorIndexes: [],
      lakeContent: "redacted",
    });
  });

  it("come from the command line as text", () => {
    const options = read({
      stage: "prod",
      sessionTtlSeconds: "0",
      oidcIssuer: "https://login.example.com/tenant",
      oidcAudience: "memocha",
      corsOrigins: "https://a.example,http://localhost:5173",
      throttleRate: "7",
      throttleBurst: "9",
      alarmEmail: "ops@example.com",
      dashboard: "false",
      page: "false",
      pageUrls: "https://chat.example.com/,https://b.example/chat/",
      pageClientId: "the-page",
      pageOrigins: "https://tokens.example.com",
      cmk: "true",
      embeddingDimensions: "512,1024",
      retiredVectorIndexes: "b:512,a:768,b:3072",
    });
    expect(options.stage).toMatchObject({ name: "prod", durable: true, throttle: { rate: 7, burst: 9 } });
    expect(options).toMatchObject({
      sessionTtlSeconds: 0,
      oidc: { issuer: "https://login.example.com/tenant", audience: "memocha" },
      corsOrigins: ["https://a.example", "http://localhost:5173"],
      alarmEmail: "ops@example.com",
      dashboard: false,
      page: false,
      pageUrls: ["https://chat.example.com/", "https://b.example/chat/"],
      pageClientId: "the-page",
      pageOrigins: ["https://tokens.example.com"],
      cmk: true,
      embeddingDimensions: { a: 512, b: 1024 },
      retiredVectorIndexes: [
        { slot: "b", dimensions: 512 },
        { slot: "a", dimensions: 768 },
        { slot: "b", dimensions: 3072 },
      ],
    });
  });

  it("have periods of retention, of which that of sessions is sessionTtlSeconds", () => {
    const options = read({ stage: "dev", "retention.archive": "400d", "retention.session": "14d" });
    expect(options).toMatchObject({
      sessionTtlSeconds: 14 * 86_400,
      periods: { archive: 400 * 86_400, session: 14 * 86_400 },
      policy: { retention: { stub: { seconds: 400 * 86_400 } } },
    });
  });

  it.each([
    [{ stage: "dev", lakeContent: "false" }, "lakeContent", "must be full, redacted or none, not false"],
    [{ stage: "dev", "retention.archive": "90" }, "retention.archive", "such as 90d"],
    [{ stage: "dev", "retention.session": "1d", sessionTtlSeconds: "5" }, "sessionTtlSeconds", "give only one of them"],
    [{}, "stage", "must be dev or prod (-c stage=dev), not undefined"],
    [{ stage: "test" }, "stage", "must be dev or prod (-c stage=dev), not test"],
    [{ stage: "dev", sessionTtlSeconds: "-1" }, "sessionTtlSeconds", ">=0"],
    [{ stage: "dev", oidcIssuer: "https://login.example.com" }, "oidcAudience", "give both"],
    [{ stage: "dev", oidcIssuer: "http://login.example.com", oidcAudience: "memocha" }, "oidcIssuer", "Invalid URL"],
    [{ stage: "dev", corsOrigins: "chat.example.com" }, "corsOrigins", "https://chat.example.com"],
    [{ stage: "dev", corsOrigins: "*,https://chat.example.com" }, "corsOrigins", "* alone"],
    [{ stage: "dev", waf: "yes" }, "waf", "Invalid"],
    [{ stage: "dev", embeddingDimensions: "512" }, "embeddingDimensions", "two numbers like 512,1024"],
    [{ stage: "dev", embeddingDimensions: "512,4097" }, "embeddingDimensions", "between 1 and 4096"],
    [{ stage: "dev", retiredVectorIndexes: "c:512" }, "retiredVectorIndexes", "vector indexes like b:512"],
    [{ stage: "dev", retiredVectorIndexes: "b:768," }, "retiredVectorIndexes", "vector indexes like b:512"],
    [{ stage: "dev", retiredVectorIndexes: "a:768 b:768" }, "retiredVectorIndexes", "vector indexes like b:512"],
    [{ stage: "dev", retiredVectorIndexes: "b:0" }, "retiredVectorIndexes", "dimensions between 1 and 4096"],
    [
      { stage: "dev", embeddingDimensions: "512,1024", retiredVectorIndexes: "b:1024" },
      "retiredVectorIndexes",
      "must not name b:1024: embeddingDimensions uses this index",
    ],
    [{ stage: "dev", retiredVectorIndexes: "b:768,b:768" }, "retiredVectorIndexes", "must name b:768 once"],
    [
      { stage: "dev", retiredVectorIndexes: "a:1,a:2,b:1,b:2" },
      "retiredVectorIndexes",
      "a table has at most 5 vector indexes, and these are 6: a:512, b:200, a:1, a:2, b:1, b:2",
    ],
  ])("are refused when they are invalid: %o", (context, option, why) => {
    expect(() => read(context)).toThrow(option);
    expect(() => read(context)).toThrow(why);
  });
});
