import { decodeJwt } from "jose";
import { describe, expect, test } from "vitest";
import { findTarget } from "../../../../infra/cli/import/find-target.ts";
import { loadIssuerKey } from "../../../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../../../infra/local/issuer/sign-token.ts";
import { createScratch } from "./scratch.ts";

async function localHost(): Promise<string> {
  const { directory, write } = createScratch();
  await loadIssuerKey(directory);
  write("host.json", JSON.stringify({ pid: 1, url: "http://127.0.0.1:4321" }));
  return directory;
}

describe("the target of an import", () => {
  test("is the local host that runs on the data directory, with a token that may act for others", async () => {
    const target = await findTarget({ data: await localHost(), user: "alice" });
    expect(target).toMatchObject({ url: "http://127.0.0.1:4321", user: "alice" });
    expect(decodeJwt(target.token)).toMatchObject({ sub: "dev", scope: expect.stringContaining("act-as") });
  });

  test("is the given URL and token, and the local token is sent to no other API", async () => {
    const data = await localHost();
    await expect(findTarget({ data, url: "https://api.example.org" })).rejects.toThrow(
      "no token for https://api.example.org: give --token",
    );
    expect(await findTarget({ data, url: "https://api.example.org", token: "t" })).toEqual({
      url: "https://api.example.org",
      token: "t",
    });
  });

  test("is port 3000 of this machine without a local host", async () => {
    expect((await findTarget({ data: createScratch().directory, token: "t" })).url).toBe("http://127.0.0.1:3000");
  });

  test("is the user's own with the user's token, without acting for another user", async () => {
    const data = await localHost();
    const token = await signToken(await loadIssuerKey(data), { user: "alice" });
    expect(await findTarget({ data, token, user: "alice" })).not.toHaveProperty("user");
    expect(await findTarget({ data, token, user: "bob" })).toHaveProperty("user", "bob");
  });
});
