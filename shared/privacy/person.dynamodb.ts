import { personKey } from "../dynamodb/keys.ts";
import type { Table } from "../dynamodb/table.ts";
import { newPerson, type PersonStore } from "./person.ts";
import { beingErased } from "./refuse-writes.ts";

/** The records of persons in the table `conversations`, one item each. */
export function createPersonStore(table: Pick<Table, "get" | "update">): PersonStore {
  return {
    async find(user) {
      const item = await table.get(personKey(user), { consistent: false });
      if (!item) return newPerson;
      return {
        memory: item.memory !== false,
        ...(item.erasing === undefined ? {} : { erasing: String(item.erasing) }),
      };
    },

    async setMemory(user, memory) {
      const { done } = await table.update({
        Key: personKey(user),
        UpdateExpression: memory ? "REMOVE #memory" : "SET #memory = :off",
        ConditionExpression: "attribute_not_exists(erasing)",
        ExpressionAttributeNames: { "#memory": "memory" },
        ...(memory ? {} : { ExpressionAttributeValues: { ":off": false } }),
      });
      if (!done) throw beingErased();
      return { memory };
    },
  };
}
