import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, type PageWorld, startPageWorld, violations } from "./page-world.ts";

let world: PageWorld;
beforeAll(async () => {
  world = await startPageWorld();
  world.fake.always({
    text: "# A plan\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nconst a = 1;\n```\n\n[link](https://example.com)",
  });
}, 120_000);
afterAll(() => world.close());

const answers = ".message.assistant:not(.live)";

/** Every view, with what is there when it is whole. */
const views: [string, string][] = [
  ["", ".welcome"],
  ["#/memory", ".memories li"],
  ["#/data", ".facts"],
  ["#/operations", ".chart"],
];

async function show(page: Page, hash: string, part: string): Promise<void> {
  await page.goto(`${world.url}/${hash || "#/"}`);
  await page.locator(part).first().waitFor();
}

/** Tells the page's user something that becomes a memory. */
async function remember(user: string, content: string): Promise<void> {
  await world.call(user, "POST", "/v1/sessions", { id: `about-${user}` });
  await world.call(user, "POST", `/v1/sessions/about-${user}/messages`, { role: "user", content });
  const count = async () => ((await world.call(user, "GET", "/v1/memories")) as { data: unknown[] }).data.length;
  await expect.poll(count, { timeout: 20_000 }).toBe(1);
}

describe("the views of the page", { timeout: 60_000 }, () => {
  it.each(["light", "dark"] as const)("break no rule of WCAG 2.2 AA in the %s colours", async (colorScheme) => {
    const user = `reader-${colorScheme}`;
    await remember(user, "I like old trams.");
    const page = await world.open({ user, admin: true, colorScheme });
    await ask(page, "Plan something with old trams.");
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Why this answer" }).click();
    await page.locator(".drawer").waitFor();
    expect(await violations(page)).toEqual([]);
    for (const [hash, part] of views) {
      await show(page, hash, part);
      expect([hash, await violations(page)]).toEqual([hash, []]);
    }
    await page.keyboard.press("?");
    await page.locator("dialog").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });

  it("fit into 320 pixels without scrolling sideways", async () => {
    await remember("narrow", "I like old trams.");
    const page = await world.open({ user: "narrow", admin: true, viewport: { width: 320, height: 640 } });
    await ask(page, "Plan something");
    for (const [hash, part] of [["", answers] as [string, string], ...views]) {
      if (part !== answers) await show(page, hash, part);
      expect([hash, await page.evaluate("document.documentElement.scrollWidth")]).toEqual([hash, 320]);
    }
    await page.getByRole("button", { name: "Show conversations" }).click();
    await page.locator(".session").first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator(".sidebar").isVisible()).toBe(false);
    await page.context().close();
  });

  it("say which memories an answer was given, where they come from, and forget them", async () => {
    await remember("curious", "My cat is called Momo.");
    const page = await world.open({ user: "curious" });
    await ask(page, "What is my cat called?");
    await page.getByText("1 memory").waitFor();
    await page.reload();
    await page.getByText("1 memory").click();
    await page.locator(".drawer .pre", { hasText: "Momo" }).waitFor();
    await page.getByRole("link", { name: "Show where it was said" }).click();
    await page.locator(".message.highlighted", { hasText: "Momo" }).waitFor();
    await show(page, "#/memory", ".memories li");
    await page.getByLabel("Search memories").fill("cat");
    await page.keyboard.press("Enter");
    const momo = page.locator(".memories li", { hasText: "Momo" });
    await momo.getByRole("button", { name: "Forget" }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    await momo.waitFor();
    await page.getByRole("button", { name: "Forget everything" }).click();
    const yes = page.locator("dialog").getByRole("button", { name: "Forget everything" });
    expect(await yes.isDisabled()).toBe(true);
    await page.getByLabel("Type “forget”").fill("forget");
    await yes.click();
    await page.getByText("Nothing is remembered yet.").waitFor();
    await page.goBack();
    await page.goBack();
    await page.getByText("1 memory").click();
    await page.getByText("A memory that is forgotten by now.").waitFor();
    expect(await world.call("curious", "GET", "/v1/memories")).toMatchObject({ data: [] });
    await page.context().close();
  });

  it("show that everything is forgotten, also when the answer to an earlier search comes later", async () => {
    await remember("hasty", "My cat is called Momo.");
    const page = await world.open({ user: "hasty", hash: "#/memory" });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await page.route("**/v1/memories/search", async (route) => {
      const response = await route.fetch();
      await released;
      await route.fulfill({ response });
    });
    await page.locator(".memories li").waitFor();
    const searched = page.waitForResponse("**/v1/memories/search");
    await page.getByLabel("Search memories").fill("cat");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Forget everything" }).click();
    await page.getByLabel("Type “forget”").fill("forget");
    await page.keyboard.press("Enter");
    await page.getByText("Nothing is remembered yet.").waitFor();
    release();
    await (await searched).finished();
    await page.evaluate("new Promise(requestAnimationFrame)");
    expect(await page.locator(".memories li").count()).toBe(0);
    expect(await page.getByText("Nothing is remembered yet.").count()).toBe(1);
    await page.context().close();
  });

  it("show operations to admins only, with a table behind each chart and the filters in the URL", async () => {
    const user = await world.open({ user: "nobody" });
    expect(await user.getByRole("link", { name: "Operations" }).count()).toBe(0);
    await user.context().close();
    const page = await world.open({ user: "operator", admin: true, hash: "#/operations?from=7d" });
    const chart = page.locator(".chart", { hasText: "Requests by status" });
    await chart.locator("rect").first().waitFor();
    expect(await page.getByLabel("Range").inputValue()).toBe("7d");
    await chart.locator(".drawing").focus();
    await page.keyboard.press("ArrowLeft");
    await chart.locator(".tooltip", { hasText: "UTC" }).waitFor();
    await chart.getByRole("button", { name: "As a table" }).click();
    expect(await chart.locator("tbody tr").count()).toBeGreaterThan(0);
    await page.locator(".card", { hasText: "What waits" }).getByText("Dead letters").waitFor();
    expect(await page.locator(".card", { hasText: "Providers of models" }).locator("tbody tr").count()).toBe(1);
    expect(await page.locator(".card", { hasText: "Last success" }).locator("tbody tr").count()).toBeGreaterThan(5);
    await page.getByText("Not measured yet.").first().waitFor();
    await world.run("jobs-measure");
    await page.getByLabel("Range").selectOption("24h");
    const stored = page.locator(".card", { hasText: "What is stored" });
    await page.reload();
    await stored.locator("tbody tr", { hasText: "conversations" }).waitFor();
    await expect.poll(() => page.url()).toContain("from=24h");
    await page.getByRole("button", { name: "Count them" }).click();
    await page.getByText("0 sessions have been idle").waitFor();
    await page.getByRole("button", { name: "Archive them" }).click();
    await page.getByText("0 sessions go to the archive.").waitFor();
    await page.context().close();
  });

  it("can be used by keyboard alone", async () => {
    const page = await world.open({ user: "typist" });
    await ask(page, "Hello");
    await page.keyboard.press("ArrowUp");
    expect(await page.getByLabel("Edit the message").inputValue()).toBe("Hello");
    await page.keyboard.press("Escape");
    await page.locator("#main").focus();
    await page.keyboard.press("n");
    await page.locator(".welcome").waitFor();
    await page.locator("#main").focus();
    await page.keyboard.press("/");
    await expect.poll(() => page.evaluate("document.activeElement.id")).toBe("search");
    await page.keyboard.type("hel");
    await page.locator(".session", { hasText: "Hello" }).waitFor();
    await page.locator(".session a").focus();
    await page.keyboard.press("Enter");
    await page.locator(answers).waitFor();
    await page.context().close();
  });
});
