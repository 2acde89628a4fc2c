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

    async setMemory(user, memory, now) {
      const outcome = await table.update({
        Key: personKey(user),
        UpdateExpression: memory ? "SET memory_since = :now REMOVE #memory" : "SET #memory = :off",
        ConditionExpression: `attribute_not_exists(erasing)${memory ? " AND #memory = :off" : ""}`,
        ExpressionAttributeNames: { "#memory": "memory" },
        ExpressionAttributeValues: { ":off": false, ...(memory ? { ":now": now } : {}) },
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
      if (!outcome.done && outcome.item?.erasing !== undefined) throw beingErased();
      return { memory };
    },
  };
}
