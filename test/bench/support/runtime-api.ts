import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Lambda's Runtime API with one event to give, to a function that has `timeout` seconds; `answered` is when its answer
 * came, by `performance.now()`.
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
