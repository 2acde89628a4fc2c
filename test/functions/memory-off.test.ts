import type { DynamoDBStreamEvent } from "aws-lambda";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openChat } from "../../functions/compose-chat.ts";
import { openSearch } from "../../functions/memories/search.ts";
import { loadConfig } from "../../shared/config.ts";
import { recallNothing } from "../../shared/memory/recall.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

/** A handler of its own for each test: it reads its environment once. */
const rememberHandler = async () => (await import("../../functions/jobs/remember.ts")).handler;
const unreadable = { Records: [{ eventName: "INSERT" }] } as DynamoDBStreamEvent;

describe("if memory is off", () => {
  it("chat turns and searches find no memories, and send no vector search", async () => {
    expect([openChat(loadConfig()).recall, openSearch(loadConfig()).recall]).not.toContain(recallNothing);
    vi.stubEnv("MEMORY", "off");
    expect([openChat(loadConfig()).recall, openSearch(loadConfig()).recall]).toEqual([recallNothing, recallNothing]);
    expect(await recallNothing("alice", { text: "hello", limit: 5 })).toEqual([]);
  });

  it("no message becomes a memory, and stream records are skipped without a read", async () => {
    vi.stubEnv("AWS_REGION", "us-east-1");
    await expect((await rememberHandler())(unreadable)).rejects.toThrow("no new image");
    vi.resetModules();
    vi.stubEnv("MEMORY", "off");
    expect(await (await rememberHandler())(unreadable)).toEqual({ batchItemFailures: [] });
  });
});
