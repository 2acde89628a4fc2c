import type { DynamoDBRecord } from "aws-lambda";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { forgetMemory } from "../../../shared/memory/forget.ts";
import { noStatistics, withMemories } from "../../../shared/memory/statistics.ts";
import { deleteMessage } from "../../../shared/session/delete-message.ts";
import { patchSession } from "../../../shared/session/patch-session.ts";
import { resetSession } from "../../../shared/session/reset-session.ts";
import { restoreSession } from "../../../shared/session/restore-session.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createMemoryWorld, type MemoryWorld } from "../../support/memory-world.ts";
import { createStream } from "../../support/stream.ts";

let engines: Engines;
let world: MemoryWorld;
let read: () => Promise<DynamoDBRecord[]>;
let users = 0;
let user: string;

beforeAll(async () => {
  engines = await startEngines();
  world = createMemoryWorld(engines);
  read = await createStream(engines, "jobs-remember");
});
afterAll(() => engines.close());
beforeEach(() => {
  user = `brancher-${users++}`;
});

const session = () => ({ user, id: "s" });
const TEXTS: Record<string, string> = {
  a: "My daughter Zoe climbs granite walls.",
  b: "I am allergic to peanuts.",
  c: "The meeting moved to Thursday.",
  B: "I am allergic to strawberries.",
  C: "The meeting moved to Friday.",
  D: "The boiler needs a new valve.",
};

/** Says a message by its letter, which is its id, too. `parent`: the letter of the message that it follows. */
async function say(letter: string, parent?: string | null, content = TEXTS[letter] ?? ""): Promise<void> {
  world.advance(1);
  await world.say(user, "s", { id: letter, content, ...(parent === undefined ? {} : { parent_id: parent }) });
}
const select = (letter: string) => patchSession(world.stores, session(), { head_id: letter }, undefined);

async function deliver(records: readonly DynamoDBRecord[]): Promise<void> {
  expect((await world.job({ Records: [...records] })).batchItemFailures).toEqual([]);
}

/** The letters of the messages that are remembered. The statistics must equal a new count of their memories. */
async function remembered(): Promise<string> {
  const records = [];
  for await (const page of world.memories.ofSession(session())) records.push(...page.records);
  expect((await world.memories.summary(user)).statistics).toEqual(withMemories(noStatistics(), records, 1));
  return records.map(({ message_id }) => message_id).join("");
}

/** Delivers what has happened since the last time, and gives the letters of the messages that are remembered. */
async function settle(): Promise<string> {
  await deliver(await read());
  return remembered();
}

/** abc, and a branch aBC, which is current. */
async function branched(): Promise<void> {
  for (const letter of ["a", "b", "c"]) await say(letter);
  await say("B", "a");
  await say("C");
}

async function archive(): Promise<void> {
  world.advance(3_700_000);
  await world.archiveJob({ Records: [(await world.sweep(user, "s"))!] });
}

describe("the memories of a session", () => {
  it("are those of its current branch, after each edit, switch and deletion", async () => {
    for (const letter of ["a", "b", "c"]) await say(letter);
    expect(await settle()).toBe("abc");
    await say("B", "a");
    expect(await settle()).toBe("aB");
    expect(await world.find(user, "allergic")).toEqual([TEXTS.B, TEXTS.a]);
    await say("C");
    expect(await settle()).toBe("aBC");
    await select("c");
    expect(await settle()).toBe("abc");
    await select("b");
    expect(await settle()).toBe("ab");
    await select("a");
    expect(await settle()).toBe("a");
    await select("C");
    expect(await settle()).toBe("aBC");
    await say("D", null);
    expect(await settle()).toBe("D");
    await select("c");
    await deleteMessage(world.stores, session(), "b");
    expect(await settle()).toBe("a");
  });

  it("are the same in the end in whatever order the records come, and however often", async () => {
    await branched();
    await select("c");
    await select("C");
    await select("b");
    const records = await read();
    await deliver(records.toReversed());
    expect(await remembered()).toBe("ab");
    await select("C");
    const later = await read();
    for (const record of [...later, ...records.toReversed(), ...later]) await deliver([record]);
    expect(await remembered()).toBe("aBC");
    await Promise.all([...records, ...later].map((record) => deliver([record])));
    expect(await remembered()).toBe("aBC");
  });

  it("do not come from a message that has left the current branch before its record came", async () => {
    for (const letter of ["a", "b"]) await say(letter);
    const records = await read();
    await say("B", "a");
    await deliver(records);
    expect(await remembered()).toBe("a");
    expect(await settle()).toBe("aB");
    await deleteMessage(world.stores, session(), "B");
    await deliver(records);
    expect(await settle()).toBe("a");
  });

  it("keep what an edit says again in the same words", async () => {
    for (const letter of ["a", "b"]) await say(letter);
    expect(await settle()).toBe("ab");
    await say("B", "a", TEXTS.b);
    expect(await settle()).toBe("aB");
    await select("b");
    expect(await settle()).toBe("ab");
  });

  it("do not include a forgotten one when its branch becomes current again", async () => {
    await branched();
    expect(await settle()).toBe("aBC");
    const [memory] = await world.recall(user, { text: "strawberries", limit: 1 });
    await forgetMemory(world.memories, user, memory!.id);
    await select("c");
    expect(await settle()).toBe("abc");
    await select("C");
    expect(await settle()).toBe("aC");
    const all = await world.records(user, "s");
    await deliver(all);
    expect(await remembered()).toBe("aC");
  });

  it("include messages of the same millisecond as the fork, if they are on the current branch", async () => {
    const ids = ["a", "x", "y", "z"];
    const messages = ids.map((id) => ({ id, content: `The lantern of ${id} is broken.` }));
    await world.say(user, "s", ...messages);
    expect(await settle()).toBe("axyz");
    await say("B", "x");
    expect((await settle()).split("").sort().join("")).toBe("Bax");
    await select("z");
    expect(await settle()).toBe("axyz");
  });
});

describe("the record of a branch that has become current", () => {
  it("gives the same result wherever the function dies while it works on it", async () => {
    for (const kind of ["before", "after"] as const) {
      for (let n = 0; ; n++) {
        user = `brancher-${users++}`;
        await branched();
        expect(await settle()).toBe("aBC");
        await select("c");
        const Records = await read();
        const crashed = await world.crashing(n, kind, () => world.job({ Records }));
        expect(await remembered()).toMatch(/^a[bcBC]*$/);
        await deliver(Records);
        expect(await remembered(), `${kind} call ${n}`).toBe("abc");
        if (!crashed) break;
      }
    }
  });

  it("is of no effect when the session was reset or deleted, or created again", async () => {
    await branched();
    const records = await read();
    await resetSession(world.stores, session(), { seed: "reset" });
    await say("D");
    await deliver(records);
    expect(await settle()).toBe("D");
    await deliver(records);
    expect(await remembered()).toBe("D");
  });

  it("finds the messages of an archived session, and those of a restored one", async () => {
    await branched();
    expect(await settle()).toBe("aBC");
    await select("c");
    const records = await read();
    await archive();
    await deliver(records);
    expect(await remembered()).toBe("abc");
    await restoreSession(world.stores, session());
    await deliver(records);
    expect(await settle()).toBe("abc");
    await select("C");
    expect(await settle()).toBe("aBC");
  });

  it("is not needed for the messages that a restore stores again", async () => {
    await branched();
    await archive();
    await restoreSession(world.stores, session());
    const { M: messages = [], T: trees = [] } = Object.groupBy(await read(), ({ dynamodb }) =>
      dynamodb?.Keys?.sk?.S?.startsWith("M#") ? "M" : "T",
    );
    await deliver(messages);
    expect(await remembered()).toBe("aBC");
    await deliver(trees);
    expect(await remembered()).toBe("aBC");
  });
});

describe("remembering a message", () => {
  it("costs one read more in a session that has branched, and nothing more in one that has not", async () => {
    for (const letter of ["a", "b"]) await say(letter);
    await settle();
    await say("c");
    const linear = await read();
    const calls = await world.counting(() => deliver(linear));
    await say("B", "a");
    await settle();
    await say("C");
    const later = await read();
    expect([calls, await world.counting(() => deliver(later))]).toEqual([3, 4]);
  });
});
