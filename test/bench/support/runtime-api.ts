import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Lambda's Runtime API with one event, for a function with a timeout of `timeout` seconds. `answered` resolves with the time of the answer,
 * by `performance.now()`.
 */
export async function startRuntimeApi(event: object, timeout: number) {
  const { promise: answered, resolve } = Promise.withResolvers<number>();
  const server = createServer((request, response) => {
    if (request.method === "POST") resolve(performance.now());
    request.resume();
    response.setHeader("lambda-runtime-aws-request-id", "cold");
    response.setHeader("lambda-runtime-deadline-ms", Date.now() + timeout * 1000);
    response.end(JSON.stringify(event));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = () => new Promise((resolve) => server.close(resolve));
  return { api: `127.0.0.1:${port}`, answered, close };
}
