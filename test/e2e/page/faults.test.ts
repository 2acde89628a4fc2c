import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ask, type PageWorld, startPageWorld } from "./page-world.ts";

/** Seconds of a token: it ends within the tests. */
const TOKEN_SECONDS = 6;

let world: PageWorld;
beforeAll(async () => {
  world = await startPageWorld({ tokenSeconds: TOKEN_SECONDS });
}, 120_000);
afterAll(() => world.close());
beforeEach(() => world.fake.reset());

const answers = ".message.assistant:not(.live)";
const message = { name: "Message" };

describe("when something fails, the page", { timeout: 90_000 }, () => {
  it("keeps a message that the network has lost, and sends it once when asked again", async () => {
    const page = await world.open({ user: "lost" });
    await page.route("**/chat", (route) => route.abort());
    await page.getByRole("textbox", message).fill("Do not lose me");
    await page.keyboard.press("Enter");
    await page.getByText("The server cannot be reached.").waitFor();
    await page.unroute("**/chat");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator(answers).waitFor();
    expect(await page.locator(".message.user").count()).toBe(1);
    await page.context().close();
  });

  it("says that it waits on a slow network, takes what is typed meanwhile, and loads there", async () => {
    const page = await world.open({ user: "slow" });
    const network = await page.context().newCDPSession(page);
    const slow = { offline: false, latency: 800, downloadThroughput: 40_000, uploadThroughput: 40_000 };
    await network.send("Network.emulateNetworkConditions", slow);
    await page.getByRole("textbox", message).fill("Hello");
    await page.keyboard.press("Enter");
    await page.getByText("Thinking…").waitFor();
    await page.getByRole("textbox", message).fill("typed meanwhile");
    await page.locator(answers).waitFor();
    expect(await page.getByRole("textbox", message).inputValue()).toBe("typed meanwhile");
    await page.reload();
    await page.locator(answers).waitFor({ timeout: 60_000 });
    expect(await page.locator(".failure").count()).toBe(0);
    await page.context().close();
  });

  it("counts down to the time that a limit names", async () => {
    const page = await world.open({ user: "limited" });
    await page.route("**/chat", (route) =>
      route.fulfill({ status: 429, headers: { "retry-after": "3" }, json: { detail: "Plan free allows 1 request." } }),
    );
    await page.getByRole("textbox", message).fill("Hello");
    await page.keyboard.press("Enter");
    await page.getByText("Plan free allows 1 request.").waitFor();
    const again = page.locator(".failure button");
    expect(await again.isDisabled()).toBe(true);
    await page.unroute("**/chat");
    await page.getByRole("button", { name: "Try again", exact: true }).click();
    await page.locator(answers).waitFor();
    await page.context().close();
  });

  it("tries again by itself when the server is busy for a moment", async () => {
    const page = await world.open({ user: "busy" });
    await page.route("**/chat", (route) => route.fulfill({ status: 503, headers: { "retry-after": "1" } }), {
      times: 1,
    });
    await ask(page, "Hello");
    expect(await page.locator(".failure").count()).toBe(0);
    await page.context().close();
  });

  it("continues an answer while the token expires, and renews the token", async () => {
    world.fake.always({ text: "slow ".repeat(10), perToken: (TOKEN_SECONDS * 1000) / 8 });
    const page = await world.open({ user: "expiring" });
    const renewed = page.waitForResponse((response) => response.url().endsWith("/token"));
    await ask(page, "Take your time");
    await renewed;
    expect(await page.locator(answers).textContent()).toContain("slow slow slow slow slow slow slow slow slow slow");
    expect(await page.locator(".failure").count()).toBe(0);
    await page.context().close();
  });

  it("shows in one tab what another one has written, and keeps the draft of each", async () => {
    const first = await world.open({ user: "two-tabs" });
    await ask(first, "From the first tab");
    const second = await first.context().newPage();
    await second.goto(first.url());
    await second.locator(answers).waitFor();
    await first.getByRole("textbox", message).fill("typed in the first");
    await ask(second, "From the second tab");
    await first.bringToFront();
    await first.evaluate('document.dispatchEvent(new Event("visibilitychange"))');
    await first.locator(".message.user", { hasText: "From the second tab" }).waitFor();
    expect(await first.getByRole("textbox", message).inputValue()).toBe("typed in the first");
    await first.context().close();
  });

  it("ends the session at the issuer when a person signs out", async () => {
    const page = await world.open({ user: "leaving" });
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Who do you want to be?").waitFor();
    await page.context().close();
  });
});
