import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { personKey } from "../../../shared/dynamodb/keys.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let world: World;
beforeAll(async () => {
  engines = await startEngines();
  world = createWorld(engines);
});
afterAll(() => engines.close());

describe("the record of a person", () => {
  it("says that memory is on for a user without a record", async () => {
    expect(await world.persons.find("new")).toEqual({ memory: true });
  });

  it("keeps the choice of one user without changing that of others", async () => {
    expect(await world.persons.setMemory("ann", false, 1)).toEqual({ memory: false });
    expect(await world.persons.find("ann")).toEqual({ memory: false });
    expect(await world.persons.find("an")).toEqual({ memory: true });
    await world.persons.setMemory("ann", true, 2);
    expect(await world.persons.find("ann")).toEqual({ memory: true });
  });

  it("refuses a choice while an erasure runs", async () => {
    await world.table.put({ Item: { ...personKey("bob"), memory: false, erasing: "an erasure" } });
    await expect(world.persons.setMemory("bob", true, 3)).rejects.toMatchObject({ code: "being_erased" });
    expect(await world.persons.find("bob")).toEqual({ memory: false, erasing: "an erasure" });
  });
});
