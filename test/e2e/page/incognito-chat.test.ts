import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ask, type PageWorld, startPageWorld, violations } from "./page-world.ts";

let world: PageWorld;
beforeAll(async () => {
  world = await startPageWorld();
}, 120_000);
afterAll(() => world.close());
beforeEach(() => world.fake.reset());

const BAR = /Incognito: nothing said here is remembered or archived/;

const list = async (user: string) =>
  ((await world.call(user, "GET", "/v1/sessions")) as { data: { id: string }[] }).data;

describe("an incognito chat", { timeout: 90_000 }, () => {
  it("is begun with a switch, and shows that it is incognito from then on", async () => {
    const page = await world.open({ user: "hidden" });
    const bar = page.getByText(BAR);
    const choice = page.getByRole("button", { name: "Incognito", pressed: false });
    expect(await bar.count()).toBe(0);
    await choice.click();
    expect(await bar.textContent()).toContain("deleted some time after its last message");
    await page.getByRole("button", { name: "Incognito", pressed: true }).click();
    expect(await bar.count()).toBe(0);
    await choice.click();
    await page.reload();
    await bar.waitFor();
    expect(await violations(page)).toEqual([]);

    await ask(page, "A secret");
    expect(await bar.textContent()).toMatch(/The conversation is deleted on .* if you do not write again\./);
    expect(await page.getByRole("button", { name: "Incognito" }).count()).toBe(0);
    await page.getByRole("link", { name: "Incognito: A secret" }).waitFor();
    await page.getByRole("button", { name: "Details" }).click();
    await page.getByText("Is deleted", { exact: true }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await list("hidden")).toMatchObject([{ title: "A secret", incognito: true }]);
    await page.reload();
    await bar.waitFor();

    await page.getByRole("button", { name: "New chat" }).click();
    await choice.waitFor();
    await ask(page, "An ordinary question");
    expect(await bar.count()).toBe(0);
    expect((await list("hidden"))[0]).not.toHaveProperty("incognito");
    await page.context().close();
  });

  it("stays incognito when a message follows that finds the session deleted, or that was not accepted before a reload", async () => {
    const page = await world.open({ user: "again", hash: "#/?incognito" });
    await ask(page, "First");
    const id = (await list("again"))[0]?.id;
    await world.call("again", "DELETE", `/v1/sessions/${id}`);
    await page.getByRole("textbox", { name: "Message" }).fill("Second");
    await page.keyboard.press("Enter");
    const begunAgain = () => world.call("again", "GET", `/v1/sessions/${id}`);
    await expect.poll(begunAgain, { timeout: 20_000 }).toMatchObject({ incognito: true, message_count: 2 });
    await page.getByRole("button", { name: "New chat" }).click();
    await page.getByRole("button", { name: "Incognito" }).click();
    await page.route("**/chat", (route) => route.abort());
    await page.getByRole("textbox", { name: "Message" }).fill("Third");
    await page.keyboard.press("Enter");
    await page.getByText("The server cannot be reached").waitFor();
    await page.unroute("**/chat");
    await page.reload();
    await page.getByText(BAR).waitFor();
    await page.getByRole("textbox", { name: "Message" }).press("Enter");
    await page.locator(".message.assistant:not(.live)").waitFor();
    expect((await list("again"))[0]).toMatchObject({ title: "Third", incognito: true });
    await page.context().close();
  });
});
