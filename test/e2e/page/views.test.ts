import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkReceipt, parseReceipt } from "../../../infra/cli/receipt/check-receipt.ts";
import { createPrivacyKey } from "../../../shared/privacy/receipt.ts";
import { ask, type PageWorld, startPageWorld, violations } from "./page-world.ts";

let world: PageWorld;
beforeAll(async () => {
  world = await startPageWorld();
  world.fake.always({
    text: "# A plan\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nconst a = 1;\n```\n\n[link](https://example.com)",
  });
  // It leaves an audit record.
  await world.call("first", "DELETE", "/v1/memories");
}, 120_000);
afterAll(() => world.close());

const answers = ".message.assistant:not(.live)";

/** Every view, with what is there when it is whole. */
const views: [string, string][] = [
  ["", ".welcome"],
  ["#/memory", ".memories li"],
  ["#/data", ".switch"],
  ["#/operations", ".chart"],
  ["#/audit", ".audit td"],
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

/** Clicks something that starts a download, and returns the file. */
async function download(page: Page, click: () => Promise<void>): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent("download"), click()]);
  return readFileSync(await file.path());
}

/** Types the word that starts the erasure. */
async function eraseEverything(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Erase everything" }).click();
  expect(await page.locator("dialog").getByRole("button", { name: "Erase everything" }).isDisabled()).toBe(true);
  await page.getByLabel("Type “erase”").fill("erase");
  await page.keyboard.press("Enter");
  await page.getByText("Your data is being erased.").waitFor();
}

const focused = (page: Page) => page.evaluate("document.activeElement.textContent");

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
    await page.getByRole("row", { name: /^Active sessions [1-9]/ }).waitFor();
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

  it("switch memory off and on, and say what that does", async () => {
    const page = await world.open({ user: "private", hash: "#/data" });
    const memory = page.getByLabel("Remember what is said");
    await memory.focus();
    await page.keyboard.press("Space");
    await page.getByText("Memory is off").first().waitFor();
    await expect.poll(() => world.call("private", "GET", "/v1/settings")).toEqual({ memory: false });
    await page.reload();
    await memory.waitFor();
    expect(await memory.isChecked()).toBe(false);
    await page.route("**/v1/settings", (route) =>
      route.request().method() === "PATCH"
        ? route.fulfill({ status: 500, contentType: "application/problem+json", body: "{}" })
        : route.continue(),
    );
    await memory.click();
    await page.getByRole("alert").waitFor();
    expect(await memory.isChecked()).toBe(false);
    await page.unroute("**/v1/settings");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect.poll(() => world.call("private", "GET", "/v1/settings")).toEqual({ memory: true });
    await page.getByRole("link", { name: "See and delete what is remembered" }).click();
    await page.getByRole("heading", { name: "Memory" }).waitFor();
    await page.context().close();
  });

  it("export everything, also when the first attempt fails and the page is reloaded meanwhile", async () => {
    await remember("mover", "I like old trams.");
    const page = await world.open({ user: "mover", hash: "#/data" });
    let status = "running";
    await page.route("**/v1/exports/*", async (route) => {
      const response = await route.fetch();
      const { id, created_at, expires_at } = await response.json();
      await route.fulfill({ response, json: { id, created_at, expires_at, status } });
    });
    await page.getByRole("button", { name: "Make an export" }).click();
    await page.getByText("The export is being made.").waitFor();
    await expect.poll(() => focused(page)).toBe("Export");
    await page.reload();
    await page.getByText("The export is being made.").waitFor();
    status = "failed";
    await page.getByText("The export could not be made.").waitFor();
    await page.unroute("**/v1/exports/*");
    await page.getByRole("button", { name: "Try again" }).click();
    const link = page.getByRole("link", { name: "Download the export" });
    await link.waitFor();
    await page.reload();
    await link.waitFor();
    const facts = await page.locator(".card", { hasText: "SHA-256" }).textContent();
    expect(facts).toMatch(/Memories1(?!\d)/);
    const zip = await download(page, () => link.click());
    expect(facts).toContain(createHash("sha256").update(zip).digest("hex"));
    await page.context().close();
  });

  it("erase everything after a typed word, and give the receipt", async () => {
    const page = await world.open({ user: "leaving", hash: "#/data" });
    await page.evaluate(
      "localStorage.setItem('draft:leaving:a', 'mine'); localStorage.setItem('draft:leavings:a', 'b')",
    );
    const key = createPrivacyKey("a secret");
    const begun = {
      id: "0191e9a0-0000-7000-8000-000000000001",
      subject: key.subjectOf("leaving"),
      requested_at: "2026-11-21T09:00:00.000Z",
      stores: [],
      remains: [],
    };
    const complete = key.sign({
      ...begun,
      status: "complete",
      completed_at: "2026-11-21T09:07:00.000Z",
      stores: [
        { name: "messages", found: 1240, erased: 1240, remaining: 0, checked_at: "2026-11-21T09:06:59.000Z" },
        { name: "rows of the lake", found: 77, erased: 77, remaining: 0, checked_at: "2026-11-21T09:06:59.000Z" },
      ],
      remains: [
        { name: "backups", why: "Backups of the tables cannot be changed.", until: "2026-11-28T09:07:00.000Z" },
        { name: "account", why: "The account belongs to the issuer of the tokens.", until: null },
      ],
    });
    let answer: object = { ...begun, status: "running" };
    await page.route(/\/v1\/erasures/, (route) =>
      route.fulfill({ status: route.request().method() === "POST" ? 202 : 200, json: answer }),
    );
    await eraseEverything(page);
    await expect.poll(() => focused(page)).toBe("Erase everything");
    await expect.poll(() => page.evaluate("Object.keys(localStorage)")).toEqual(["draft:leavings:a"]);
    expect(await violations(page)).toEqual([]);
    await page.reload();
    await page.getByText("Your data is being erased.").waitFor();
    answer = complete;
    await page.getByRole("row", { name: "messages 1,240 1,240 0" }).waitFor();
    await page.getByRole("row", { name: /^account Stays/ }).waitFor();
    const save = page.getByRole("button", { name: "Download the receipt" });
    expect(checkReceipt(parseReceipt((await download(page, () => save.click())).toString())).isGood).toBe(true);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page)).toEqual([]);
    }
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(320);
    await page.context().close();
  });

  it("say in plain words that nothing can be stored while an erasure runs", async () => {
    await remember("gone", "I like old trams.");
    const page = await world.open({ user: "gone", hash: "#/data" });
    await eraseEverything(page);
    await page.reload();
    await page.getByText("Your data is being erased. This takes").waitFor();
    // The reload may have cut the request that begins the erasure. Then the page sends it again.
    await page.getByText("Begun on").waitFor();
    const sentence = page.getByText("Nothing new can be stored until that is done");
    await page.getByLabel("Remember what is said").click();
    await sentence.waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.keyboard.press("n");
    await page.getByRole("textbox", { name: "Message" }).fill("Are you there?");
    await page.keyboard.press("Enter");
    await sentence.waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.context().close();
  });

  it("list audit records to admins, filtered by the URL, page by page", async () => {
    await remember("audited", "I like old trams.");
    for (let n = 0; n < 60; n++) await world.call("audited", "DELETE", "/v1/memories");
    const page = await world.open({ user: "auditor", admin: true, hash: "#/operations" });
    await page.getByRole("link", { name: "Audit records" }).click();
    await page.locator(".audit td").first().waitFor();
    await page.getByLabel("User", { exact: true }).fill("audited");
    await page.getByLabel("Action").selectOption("Deleted all memories");
    await page.getByLabel("From", { exact: true }).fill("2020-01-01");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await expect.poll(() => page.url()).toContain("#/audit?from=2020-01-01&action=memory.delete_all&user=audited");
    const rows = page.locator(".audit tbody tr", { hasText: "Deleted all memories" });
    await expect.poll(() => rows.count()).toBe(50);
    await page.reload();
    await expect.poll(() => rows.count()).toBe(50);
    expect(await page.getByLabel("Action").inputValue()).toBe("memory.delete_all");
    await page.getByRole("button", { name: "Load older records" }).click();
    await expect.poll(() => rows.count()).toBe(60);
    expect(await rows.last().locator("code").first().textContent()).toBe("audited");
    await page.getByLabel("To", { exact: true }).fill("2020-01-02");
    await page.keyboard.press("Enter");
    await page.getByText("There are no such records.").waitFor();
    await page.goBack();
    await expect.poll(() => rows.count()).toBe(50);
    expect(await page.getByLabel("To", { exact: true }).inputValue()).toBe("");
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
