import { createServer, request } from "node:http";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Listening, listen } from "../../../infra/local/listen.ts";
import { ask, type PageWorld, startPageWorld } from "./page-world.ts";

let world: PageWorld;
beforeAll(async () => {
  world = await startPageWorld();
}, 120_000);
afterAll(() => world.close());

const answers = ".message.assistant:not(.live)";

/** Counts what the page moves by itself, and its long tasks, from now on. */
const observe = (page: Page) =>
  page.evaluate(`
    window.seen = { shift: 0, long: 0, moved: [] };
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        window.seen.shift += entry.value;
        window.seen.moved.push(...entry.sources.map(({ node, previousRect: a, currentRect: b }) =>
          [node?.outerHTML?.slice(0, 120) ?? node?.nodeName, a.y, b.y, a.height, b.height].join(" ")));
      }
    }).observe({ type: "layout-shift" });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.seen.long = Math.max(window.seen.long, entry.duration);
    }).observe({ type: "longtask" });
  `);
const seen = async (page: Page) =>
  (await page.evaluate("window.seen")) as { shift: number; long: number; moved: string[] };

/** Messages of a long conversation, and the text of each. */
const MANY = 10_000;
/** Messages that the test scrolls through, so that it takes seconds. */
const SCROLLED = 1500;
const messageOf = (n: number) => ({
  id: `m${n}`,
  session_id: "long-one",
  parent_id: n > 1 ? `m${n - 1}` : null,
  role: n % 2 === 1 ? "user" : "assistant",
  content: `Message ${n} of many. ${"It says a little. ".repeat(n % 7)}`,
  created_at: new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString(),
});

/** A proxy that serves the host below `/prod/`, as API Gateway does with a stage. */
async function startProxy(): Promise<Listening> {
  const server = createServer((incoming, outgoing) => {
    const [, path] = /^\/prod(\/.*)$/.exec(incoming.url ?? "") ?? [];
    if (path === undefined) {
      outgoing.writeHead(403).end();
      return;
    }
    const url = new URL(world.url + path);
    const headers = { ...incoming.headers, host: url.host };
    const forwarded = request(url, { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forwarded);
  });
  return await listen(server, 0);
}

/** Milliseconds until the first content was painted. The browser can say so only after the page's elements exist. */
async function firstPaint(page: Page): Promise<number> {
  const paint = await page.waitForFunction("performance.getEntriesByName('first-contentful-paint')[0]?.startTime");
  return (await paint.jsonValue()) as number;
}

describe("the page", { timeout: 120_000 }, () => {
  it("paints first within a second, and moves nothing while an answer streams", async () => {
    const paragraph = "A paragraph that is long enough to wrap onto several lines of the column, and then some more.";
    world.fake.always({ text: `${paragraph}\n\n`.repeat(12), perToken: 4 });
    const page = await world.open({ user: "steady" });
    await page.reload();
    await page.locator(".welcome").waitFor();
    expect(await firstPaint(page)).toBeLessThan(1000);
    await observe(page);
    await ask(page, "Tell me a long story");
    expect((await seen(page)).moved).toEqual([]);
    world.fake.reset();
    await page.context().close();
  });

  it("scrolls through 10,000 messages without a long pause", async () => {
    const session = "long-one";
    await world.call("reader", "POST", "/v1/sessions", { id: session });
    const page = await world.open({ user: "reader" });
    await page.route(`**/v1/sessions/${session}/messages?*`, (route) => {
      const query = new URL(route.request().url()).searchParams;
      const newest = Number(query.get("cursor") ?? MANY);
      const limit = Number(query.get("limit"));
      const numbers = Array.from({ length: Math.min(limit, newest) }, (_, n) => newest - n);
      const next = newest - numbers.length;
      return route.fulfill({ json: { data: numbers.map(messageOf), next_cursor: next > 0 ? String(next) : null } });
    });
    await page.goto(`${world.url}/#/s/${session}`);
    await page.getByText(`Message ${MANY} of many`).waitFor();
    const shown = () => page.locator(".message").count();
    expect(await shown()).toBe(50);
    await observe(page);
    await page.locator(".transcript").hover();
    await expect
      .poll(
        async () => {
          for (let n = 0; n < 5; n++) await page.mouse.wheel(0, -20_000);
          return await shown();
        },
        { timeout: 60_000, interval: 20 },
      )
      .toBeGreaterThan(SCROLLED);
    const { long } = await seen(page);
    // Those that were scrolled past are in the page, but the browser lays out only those near the view.
    expect(
      await page
        .locator(".message")
        .first()
        .evaluate((message) => message.checkVisibility({ contentVisibilityAuto: true })),
    ).toBe(true);
    expect(
      await page
        .locator(".message")
        .nth(SCROLLED)
        .evaluate((message) => message.querySelector("footer")?.checkVisibility({ contentVisibilityAuto: true })),
    ).toBe(false);
    await page.locator(".to-newest").click();
    await expect.poll(() => page.getByText(`Message ${MANY} of many`).isVisible()).toBe(true);
    expect(long).toBeLessThan(1000);
    await page.context().close();
  });

  it("loads more sessions at the end of the list, finds old ones by title, and shows pinned ones first", async () => {
    const user = "collector";
    await world.call(user, "POST", "/v1/sessions", { id: "oldest", title: "The very first one" });
    await world.call(user, "POST", "/v1/sessions", { id: "old-pinned", title: "An old favourite", pinned: true });
    for (let n = 0; n < 250; n += 25) {
      await Promise.all(
        Array.from({ length: 25 }, (_, k) => world.call(user, "POST", "/v1/sessions", { title: `Session ${n + k}` })),
      );
    }
    const page = await world.open({ user });
    const sessions = page.locator(".session");
    await sessions.nth(50).waitFor();
    expect(await sessions.first().textContent()).toContain("An old favourite");
    expect(await sessions.count()).toBeLessThan(250);
    await page.locator(".sessions").hover();
    await expect
      .poll(
        async () => {
          await page.mouse.wheel(0, 20_000);
          return await sessions.count();
        },
        { timeout: 30_000 },
      )
      .toBe(252);
    await page.reload();
    await page.getByLabel("Search titles").fill("VERY first");
    await sessions.filter({ hasText: "The very first one" }).waitFor();
    expect(await sessions.count()).toBe(1);
    await page.getByLabel("Search titles").fill("no such title");
    await page.getByText("No title matches.").waitFor();
    await page.context().close();
  });

  it("works below the path of a stage", async () => {
    const proxy = await startProxy();
    const page = await world.open({ user: "staged", url: `${proxy.url}/prod` });
    await ask(page, "Hello from a stage");
    await page.reload();
    await page.locator(answers).waitFor();
    expect(page.url()).toMatch(new RegExp(`^${proxy.url}/prod/#/s/`));
    await page.context().close();
    await proxy.close();
  });
});
