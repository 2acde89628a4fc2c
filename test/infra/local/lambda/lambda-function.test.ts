import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { lambdaEnvironment } from "../../../../infra/local/lambda/environment.ts";
import {
  createFunction,
  type FunctionSpec,
  type LambdaFunction,
} from "../../../../infra/local/lambda/lambda-function.ts";
import { temporaryDirectory } from "../fixture-assembly.ts";

const { directory, remove } = temporaryDirectory();
const running: LambdaFunction[] = [];
const logs: string[] = [];
let count = 0;

afterEach(async () => {
  await Promise.all(running.splice(0).map((hosted) => hosted.stop()));
  logs.length = 0;
});
afterAll(remove);

function host(code: string, { isolate = false, ...given }: Partial<FunctionSpec> & { isolate?: boolean } = {}) {
  const own = path.join(directory, String(count++));
  mkdirSync(own);
  writeFileSync(path.join(own, "index.mjs"), code);
  const spec = { name: "probe", directory: own, handler: "index.handler", memory: 128, timeout: 5, ...given };
  const environment = lambdaEnvironment(
    { ...spec, environment: { MINE: "yes", ...given.environment } },
    { dynamodb: "http://127.0.0.1:1", s3: "http://127.0.0.1:2" },
    { accessKeyId: "id", secretAccessKey: "secret" },
  );
  const hosted = createFunction(
    { ...spec, arn: "arn:aws:lambda:us-east-1:000000000000:function:probe", environment },
    { isolate, log: (level, _name, id, text) => void logs.push(`${level} ${id ? "own" : "-"} ${text}`) },
  );
  running.push(hosted);
  return hosted;
}

const call = async (hosted: LambdaFunction, event: unknown = {}) => {
  const { payload, error } = await hosted.invoke(JSON.stringify(event));
  return { value: JSON.parse(payload) as unknown, error };
};

test("a function gets its event and Lambda's context", async () => {
  const { value } = await call(
    host(
      `export const handler = async (event, context) => ({ event, context: { ...context, left: context.getRemainingTimeInMillis() } });`,
    ),
    { a: 1 },
  );
  expect(value).toMatchObject({
    event: { a: 1 },
    context: {
      functionName: "probe",
      functionVersion: "$LATEST",
      memoryLimitInMB: "128",
      invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:probe",
      logGroupName: "/aws/lambda/probe",
    },
  });
  const { context } = value as { context: { awsRequestId: string; left: number } };
  expect(context.awsRequestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(context.left).toBeGreaterThan(3000);
  expect(context.left).toBeLessThanOrEqual(5000);
});

test("a function's environment has the variables of the template and the runtime, and none of the host", async () => {
  const { value } = await call(host("export const handler = async () => process.env;"));
  expect(value).toMatchObject({
    MINE: "yes",
    AWS_REGION: "us-east-1",
    AWS_LAMBDA_FUNCTION_NAME: "probe",
    AWS_ACCESS_KEY_ID: "id",
    AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:1",
    AWS_ENDPOINT_URL_S3: "http://127.0.0.1:2",
  });
  expect(
    Object.keys(value as object).filter((name) => !/^(AWS_|LAMBDA_|_HANDLER$|LANG$|PATH$|TZ$|MINE$)/.test(name)),
  ).toEqual([]);
});

test("a bundle is loaded at the first invocation, and the worker stays for the next one", async () => {
  const hosted = host("console.log('loading'); let n = 0; export const handler = async () => ++n;");
  expect(logs).toEqual([]);
  expect([(await call(hosted)).value, (await call(hosted)).value]).toEqual([1, 2]);
  expect(logs).toEqual(["info - loading"]);
});

const slow = `import { threadId } from "node:worker_threads";
export const handler = async () => { await new Promise((r) => setTimeout(r, 200)); return threadId; };`;

test("several invocations run in one worker at the same time", async () => {
  const hosted = host(`let running = 0, all;
    const others = new Promise((resolve) => { all = resolve; });
    export const handler = async () => { if (++running === 20) all(); await others; return running; };`);
  const results = await Promise.all(Array.from({ length: 20 }, () => call(hosted)));
  expect(new Set(results.map(({ value }) => value))).toEqual(new Set([20]));
});

test("isolated invocations have a worker each, up to the limit", async () => {
  const hosted = host(slow, { isolate: true, reservedConcurrency: 3 });
  const three = await Promise.all(Array.from({ length: 3 }, () => call(hosted)));
  expect(new Set(three.map(({ value }) => value)).size).toBe(3);
  const five = await Promise.all(Array.from({ length: 5 }, () => call(hosted)));
  expect(five.filter(({ error }) => error?.errorType === "TooManyRequestsException")).toHaveLength(2);
});

test("a failed invocation has the thrown error, and its payload has only Lambda's fields", async () => {
  const hosted = host(
    `export const handler = async () => { throw new TypeError("bad", { cause: new Error("deep") }); };`,
  );
  const { value, error } = await call(hosted);
  expect(value).toMatchObject({ errorType: "TypeError", errorMessage: "bad" });
  expect(Object.keys(value as object).sort()).toEqual(["errorMessage", "errorType", "trace"]);
  expect(error?.detail).toContain("[cause]: Error: deep");
});

test("a bundle that does not load fails its invocations, and the next invocation loads it again", async () => {
  const hosted = host(`throw new Error("no configuration");`);
  expect((await call(hosted)).error).toMatchObject({ errorType: "Error", errorMessage: "no configuration" });
  expect((await call(hosted)).error).toMatchObject({ errorMessage: "no configuration" });
  expect((await call(host("export const other = 1;"))).error).toMatchObject({ errorType: "Runtime.HandlerNotFound" });
  expect((await call(host("", { handler: "nowhere.handler" }))).error).toMatchObject({
    errorType: "Runtime.ImportModuleError",
  });
});

test("an invocation that times out fails alone, even when the worker is blocked for more than a second", async () => {
  const hosted = host(
    `import { threadId } from "node:worker_threads";
     export const handler = async ({ wait, block }) => {
       await new Promise((r) => setTimeout(r, wait));
       for (const end = Date.now() + (block ?? 0); Date.now() < end; );
       return threadId;
     };`,
    { timeout: 5 },
  );
  const { value: thread } = await call(hosted, { wait: 0 });
  const late = call(hosted, { wait: 60_000 });
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const others = Array.from({ length: 30 }, (_, n) => call(hosted, { wait: 2000, block: n === 0 ? 1700 : 0 }));
  const { error } = await late;
  expect(error?.errorType).toBe("Sandbox.Timedout");
  expect(error?.errorMessage).toMatch(/Task timed out after 5\.00 seconds$/);
  const next = call(hosted, { wait: 0 });
  expect(new Set((await Promise.all(others)).map((other) => other.error ?? other.value))).toEqual(new Set([thread]));
  expect((await next).value).not.toBe(thread);
});

test("a worker whose invocation timed out ends after its other invocations", async () => {
  const hosted = host(
    `setInterval(() => console.log("still here"), 10);
     export const handler = () => new Promise((r) => setTimeout(r, 60_000));`,
    { timeout: 0.3 },
  );
  expect((await call(hosted)).error?.errorType).toBe("Sandbox.Timedout");
  const saidMore = async () => {
    const before = logs.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return logs.length - before;
  };
  expect(logs.length).toBeGreaterThan(0);
  await expect.poll(saidMore).toBe(0);
});

test("a stream whose client has gone does not block its handler", async () => {
  const hosted = host(
    `import { once } from "node:events";
     export const handler = awslambda.streamifyResponse(async ({ wait }, out) => {
       await new Promise((r) => setTimeout(r, wait));
       for (let i = 0; i < 10; i++) if (!out.write(Buffer.alloc(100_000))) await once(out, "drain");
       console.log("wrote all after " + wait);
       out.end();
     });`,
    { timeout: 3 },
  );
  await hosted.invoke('{"wait":0}');
  const late = hosted.invoke('{"wait":3300}');
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const other = hosted.invoke('{"wait":2500}');
  expect((await late).error?.errorType).toBe("Sandbox.Timedout");
  expect((await other).payload).toHaveLength(1_000_000);
  expect(logs.join()).toContain("wrote all after 3300");
});

test("a blocked worker is replaced", async () => {
  const hosted = host("export const handler = async ({ stuck }) => { while (stuck); return 'fine'; };", {
    timeout: 0.5,
  });
  await call(hosted);
  const results = await Promise.all([call(hosted, { stuck: true }), call(hosted)]);
  expect(results.map(({ error }) => error?.errorType)).toEqual(["Sandbox.Timedout", "Sandbox.Timedout"]);
  expect((await call(hosted)).value).toBe("fine");
});

test.each([
  ["a rejection", "Promise.reject(new Error('nobody awaits me'))", "Runtime.UnhandledPromiseRejection"],
  ["an error", "{ throw new Error('nobody awaits me'); }", "Runtime.UncaughtException"],
])(
  "%s that nothing catches fails its invocation alone, and the next gets a new worker",
  async (_, crash, errorType) => {
    const hosted = host(`import { threadId } from "node:worker_threads";
  export const handler = async ({ crash, wait }) => {
    if (crash) setTimeout(() => ${crash});
    await new Promise((r) => setTimeout(r, wait));
    return threadId;
  };`);
    const { value: thread } = await call(hosted, { wait: 0 });
    const other = call(hosted, { wait: 500 });
    const { error } = await call(hosted, { crash: true, wait: 60_000 });
    expect(error).toMatchObject({ errorType, errorMessage: "nobody awaits me" });
    expect((await call(hosted, { wait: 0 })).value).not.toBe(thread);
    expect((await other).value).toBe(thread);
  },
);

test("an uncaught error of an invocation that has ended fails no other invocation", async () => {
  const hosted = host(`export const handler = async ({ leave, wait }) => {
    if (leave) setTimeout(() => Promise.reject(new Error("left behind")), 100);
    await new Promise((r) => setTimeout(r, wait));
    return "fine";
  };`);
  const other = call(hosted, { wait: 500 });
  expect((await call(hosted, { leave: true, wait: 0 })).value).toBe("fine");
  expect((await other).value).toBe("fine");
  expect(logs.join()).toContain("left behind");
});

test("an uncaught error outside every invocation ends the worker and fails its invocations", async () => {
  const hosted = host(`let crash; setInterval(() => { if (crash) throw new Error("nobody awaits me"); }, 10);
  export const handler = async (event) => {
    crash = event.crash;
    await new Promise((r) => setTimeout(r, crash ? 60_000 : 0));
    return "fine";
  };`);
  expect((await call(hosted, { crash: true })).error).toMatchObject({
    errorType: "Runtime.UncaughtException",
    errorMessage: "nobody awaits me",
  });
  expect(logs.join()).toContain("nobody awaits me");
  expect((await call(hosted)).value).toBe("fine");
});

test("process.exit and running out of memory fail the invocation, not the host", async () => {
  const exits = host("export const handler = async () => process.exit(3);");
  expect((await call(exits)).error).toMatchObject({ errorType: "Runtime.ExitError" });
  const hungry = host(
    "const kept = []; export const handler = async () => { for (;;) kept.push(new Array(1e5).fill({})); };",
    {
      isolate: true,
      memory: 32,
      timeout: 20,
    },
  );
  expect((await call(hungry)).error).toMatchObject({ errorType: "ERR_WORKER_OUT_OF_MEMORY" });
});

test("a function's log lines have its invocation's id, and lines on stderr are errors", async () => {
  const hosted = host(`export const handler = async () => {
    console.log("a %d", 1); console.error("b"); process.stderr.write("c");
  };`);
  expect((await call(hosted)).value).toBe(null);
  await expect.poll(() => logs.toSorted()).toEqual(["error - c", "error own b", "info own a 1"]);
});

test("events and answers over 6 MB are refused", async () => {
  const hosted = host("export const handler = async ({ size }) => 'x'.repeat(size ?? 0);");
  const large = await hosted.invoke(JSON.stringify({ text: "ü".repeat(3_200_000) }));
  expect(large.error?.errorType).toBe("RequestEntityTooLargeException");
  expect((await call(hosted, { size: 6_300_000 })).error?.errorType).toBe("Function.ResponseSizeTooLarge");
  expect((await call(hosted, { size: 6_000_000 })).error).toBeUndefined();
});

test("stopping ends running invocations", async () => {
  const hosted = host("export const handler = () => new Promise((r) => setTimeout(r, 60_000));", { timeout: 90 });
  const pending = call(hosted);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await hosted.stop();
  expect((await pending).error).toBeDefined();
  expect((await call(hosted)).error?.errorType).toBe("ServiceException");
});
