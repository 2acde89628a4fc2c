import { createServer } from "node:http";
import { expect, it } from "vitest";
import { listen } from "../../../infra/local/listen.ts";

it("all servers of the host listen on loopback only", async () => {
  const server = createServer((_, response) => response.end("here"));
  const { url, port, close } = await listen(server, 0);
  expect(server.address()).toMatchObject({ address: "127.0.0.1", port });
  expect(await (await fetch(url)).text()).toBe("here");
  await close();
  expect(server.listening).toBe(false);
});
