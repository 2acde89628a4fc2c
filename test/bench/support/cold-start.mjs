// Does what Lambda's runtime does at a cold start: loads the function, gets the first event from the Runtime API, posts the answer
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
import http from "node:http";
import { Writable } from "node:stream";

const [bundle] = process.argv.slice(2);
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;

const call = (url, method, body) =>
  new Promise((resolve, reject) => {
    const request = http.request(url, { method }, async (response) => {
      const chunks = await response.toArray();
      resolve({ headers: response.headers, body: Buffer.concat(chunks).toString("utf8") });
    });
    request.once("error", reject);
    request.end(body);
  });

// The runtime's global for functions that stream their answers, which marks their handlers.
const STREAMING = Symbol("streaming");
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: true }),
  HttpResponseStream: { from: (responseStream) => responseStream },
};

const { handler } = await import(bundle);
const next = await call(`${api}/next`, "GET");
const context = {
  awsRequestId: next.headers["lambda-runtime-aws-request-id"],
  getRemainingTimeInMillis: () => Number(next.headers["lambda-runtime-deadline-ms"]) - Date.now(),
};
const event = JSON.parse(next.body);

/** Resolves with the answer, or with the first bytes of a streamed answer. */
async function run() {
  if (!handler[STREAMING]) return handler(event, context);
  const begun = Promise.withResolvers();
  const write = (_chunk, _encoding, done) => {
    begun.resolve();
    done();
  };
  return Promise.race([begun.promise, handler(event, new Writable({ write }), context)]);
}

// A job may fail because it had no time for all of its work.
const answer = await run().catch((error) => ({ error: String(error) }));
await call(`${api}/${context.awsRequestId}/response`, "POST", JSON.stringify(answer ?? null));
process.exit(0);
