import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ask, type PageWorld, startPageWorld } from "./page-world.ts";

let world: PageWorld;
beforeAll(async () => {
  world = await startPageWorld();
}, 120_000);
afterAll(() => world.close());
beforeEach(() => world.fake.reset());

const answers = ".message.assistant:not(.live)";

describe("the page in a browser", { timeout: 60_000 }, () => {
  it("leads from the first visit to a streamed answer with two clicks", async () => {
    world.fake.always({ text: "Lisbon in May is a good idea.", perToken: 60 });
    const page = await world.open({ user: "first" });
    await page.getByRole("button", { name: /My name is Robin/ }).click();
    await page.locator(".message.live", { hasText: "Lisbon" }).waitFor();
    expect(await page.getByRole("button", { name: "Stop" }).isVisible()).toBe(true);
    await page.locator(answers, { hasText: "Lisbon in May is a good idea." }).waitFor();
    expect(page.url()).toContain("#/s/");
    expect(await page.locator(".session.current").count()).toBe(1);
    await page.context().close();
  });

  it("shows Markdown, and no script in messages, titles or names runs", async () => {
    const attack = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
    world.fake.always({
      text: `# Title\n\n${attack}\n\n[a](javascript:window.hacked=1) [b](https://example.com)\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n\`\`\`js\nconst a = "b"; // c\n\`\`\``,
    });
    const page = await world.open({ user: `attacked${attack}` });
    await ask(page, attack);
    expect(await page.locator(".markdown table td").allTextContents()).toEqual(["1", "2"]);
    expect(await page.locator(".code .hl-keyword").textContent()).toBe("const");
    expect(await page.locator(".markdown a").evaluateAll((links) => links.map((link) => link.outerHTML))).toEqual([
      '<a href="https://example.com" target="_blank" rel="noopener noreferrer nofollow">b</a>',
    ]);
    const id = decodeURIComponent(page.url().split("/").at(-1)!);
    await world.call(`attacked${attack}`, "PATCH", `/v1/sessions/${id}`, { title: attack });
    await page.reload();
    await page.getByRole("heading", { name: attack }).waitFor();
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await page.locator("main img").count()).toBe(0);
    await page.context().close();
  });

  it("keeps the view and the draft when it is loaded again", async () => {
    const page = await world.open({ user: "reloading" });
    await ask(page, "Hello");
    await page.getByRole("textbox", { name: "Message" }).fill("not sent yet");
    const url = page.url();
    await page.reload();
    await page.locator(answers).waitFor();
    expect(page.url()).toBe(url);
    expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe("not sent yet");
    await page.context().close();
  });

  it("keeps showing a running answer after the page is loaded again", async () => {
    const gate = Promise.withResolvers<void>();
    world.fake.always({ text: "one two three", until: gate.promise, perToken: 50 });
    const page = await world.open({ user: "following" });
    await page.getByRole("textbox", { name: "Message" }).fill("Count");
    await page.keyboard.press("Enter");
    await expect.poll(() => world.fake.requests.length, { timeout: 20_000 }).toBe(1);
    await expect.poll(() => page.url(), { timeout: 20_000 }).toContain("#/s/");
    await page.reload();
    await page.locator(".message.live").waitFor();
    gate.resolve();
    await page.locator(answers, { hasText: "one two three" }).waitFor();
    await page.context().close();
  });

  it("stops an answer, and shows the part that arrived", async () => {
    world.fake.always({ text: "word ".repeat(400), perToken: 30 });
    const page = await world.open({ user: "stopping" });
    await page.getByRole("textbox", { name: "Message" }).fill("Talk");
    await page.keyboard.press("Enter");
    await page.locator(".message.live", { hasText: "word word" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByText("Stopped.").waitFor();
    expect(await page.locator(answers).textContent()).toContain("word word");
    await page.context().close();
  });

  it("edits a message, answers again, and switches between the versions", async () => {
    const page = await world.open({ user: "branching" });
    await ask(page, "First version");
    await page.keyboard.press("ArrowUp");
    await page.getByLabel("Edit the message").fill("Second version");
    await page.keyboard.press("Enter");
    await page.locator(answers, { hasText: "You said: Second version" }).waitFor();
    await page.getByRole("button", { name: "Previous version" }).click();
    await page.locator(answers, { hasText: "You said: First version" }).waitFor();
    world.fake.always({ text: "Another answer" });
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator(answers, { hasText: "Another answer" }).waitFor();
    await expect
      .poll(() => page.locator(".versions").allTextContents())
      .toEqual([expect.stringContaining("1/2"), expect.stringContaining("2/2")]);
    await page.context().close();
  });

  it("renames, pins, and deletes a conversation with a way back", async () => {
    const page = await world.open({ user: "tidy" });
    await ask(page, "Hello");
    const actions = page.locator(".session > button");
    await actions.click();
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByLabel("New title").fill("My trip");
    await page.keyboard.press("Enter");
    await page.locator(".session", { hasText: "My trip" }).waitFor();
    await actions.click();
    const pinned = page.waitForResponse((response) => response.request().method() === "PATCH");
    await page.getByRole("button", { name: "Pin", exact: true }).click();
    await pinned;
    await page.getByRole("heading", { name: "Pinned" }).waitFor();
    await actions.click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByText("No conversations yet.").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.locator(".session", { hasText: "My trip" }).click();
    await page.locator(answers).waitFor();
    await page.locator(".session > button").click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Dismiss" }).click();
    const list = () => world.call("tidy", "GET", "/v1/sessions");
    await expect.poll(list, { timeout: 20_000 }).toMatchObject({ data: [] });
    await page.context().close();
  });

  it("uploads files that are chosen, pasted and dropped, and sends them with the message", async () => {
    const page = await world.open({ user: "uploader" });
    const gate = Promise.withResolvers<void>();
    await page.route(
      (url) => url.origin !== new URL(world.url).origin,
      async (route) => {
        if (route.request().method() === "PUT") await gate.promise;
        await route.continue();
      },
    );
    const evil = '<img src=x onerror="window.hacked=1">.txt';
    const file = { name: evil, mimeType: "text/plain", buffer: Buffer.from("hello") };
    await page.locator("input[type=file]").setInputFiles(file);
    await page.locator(".attached progress").waitFor();
    expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    gate.resolve();
    for (const [type, name] of [
      ["paste", "pasted.txt"],
      ["drop", "dropped.txt"],
    ] as const) {
      await page.evaluate(`{
        const data = new DataTransfer();
        data.items.add(new File(["hello"], "${name}", { type: "text/plain" }));
        const init = { bubbles: true, cancelable: true };
        document.querySelector("#composer").dispatchEvent(
          "${type}" === "paste"
            ? new ClipboardEvent("paste", { ...init, clipboardData: data })
            : new DragEvent("drop", { ...init, dataTransfer: data }),
        );
      }`);
      await page.locator(".attached li", { hasText: name }).waitFor();
    }
    await expect.poll(() => page.locator(".attached progress").count(), { timeout: 20_000 }).toBe(0);
    await ask(page, "Read these");
    expect(await page.locator(".message.user .file").allTextContents()).toEqual([evil, "pasted.txt", "dropped.txt"]);
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    await page.context().close();
  });

  it("says when a file cannot be uploaded, and lets a person remove it", async () => {
    const page = await world.open({ user: "unlucky" });
    await page.route("**/v1/files", (route) => route.fulfill({ status: 500, json: { detail: "no" } }));
    const file = { name: "lost.txt", mimeType: "text/plain", buffer: Buffer.from("hello") };
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByText("lost.txt could not be uploaded.").waitFor();
    await page.getByRole("button", { name: "Remove lost.txt" }).click();
    expect(await page.locator(".attached").count()).toBe(0);
    await page.context().close();
  });

  it("rates an answer, and deletes all messages after a confirmation", async () => {
    const page = await world.open({ user: "rating" });
    await ask(page, "Hello");
    const event = page.waitForResponse((response) => response.url().endsWith("/v1/events"));
    const good = page.getByRole("button", { name: "Good answer" });
    await good.click();
    expect((await event).status()).toBe(201);
    expect(JSON.parse((await event).request().postData() ?? "")).toMatchObject({ name: "thumbs_up", value: 1 });
    expect(await good.getAttribute("aria-pressed")).toBe("true");
    await page.getByRole("button", { name: "Details" }).click();
    const remove = { name: "Delete all messages" };
    await page.locator(".drawer").getByRole("button", remove).click();
    await page.getByRole("button", { name: "Keep them" }).click();
    expect(await page.locator(".message").count()).toBe(2);
    await page.locator(".drawer").getByRole("button", remove).click();
    await page.locator("dialog").getByRole("button", remove).click();
    await page.locator(".welcome").waitFor();
    expect(await page.locator(".message").count()).toBe(0);
    await page.context().close();
  });

  it("reads an archived conversation, and brings it back when something is written", async () => {
    const user = "archivist";
    await world.call(user, "POST", "/v1/sessions", { id: "cold", title: "Old", ttl_seconds: 1 });
    await world.call(user, "POST", "/v1/sessions/cold/messages", { role: "user", content: "From long ago" });
    const status = async () => ((await world.call(user, "GET", "/v1/sessions/cold")) as { status: string }).status;
    await expect.poll(status, { timeout: 30_000 }).toBe("archived");
    const page = await world.open({ user, hash: "#/s/cold" });
    await page.getByText("This conversation is in the archive.").waitFor();
    await page.getByText("From long ago").waitFor();
    await ask(page, "Hello again");
    expect(await page.locator(".message").count()).toBe(3);
    await page.context().close();
  });
});
