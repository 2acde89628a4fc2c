// Sort keys (shared/dynamodb/keys.ts): Z = header or stub, A = anchor, M# = message, T# = tree, F# = file, X = export.

// Sort keys (shared/dynamodb/keys.ts): Z = header or stub, A = anchor, M# = message, T# = tree, F# = file, X = export.

/** The archiver's records: TTL deleted a session's header or a file, or an archive object has to change. */
export const archiveRecords = [
  {
    eventName: ["REMOVE"],
    userIdentity: { type: ["Service"], principalId: ["dynamodb.amazonaws.com"] },
    dynamodb: { Keys: { sk: { S: ["Z", { prefix: "F#" }] } } },
  },
  // A stub is written.
  { dynamodb: { Keys: { sk: { S: ["Z"] } }, NewImage: { status: { S: ["archived"] } } } },
  // The cleanup of an anchor is done.
  {
    dynamodb: {
      Keys: { sk: { S: ["A"] } },
      OldImage: { cleanup: { BOOL: [true] } },
      NewImage: { cleanup: { BOOL: [false] } },
    },
  },
  // A session is deleted.
  { dynamodb: { Keys: { sk: { S: ["A"] } }, NewImage: { state: { S: ["deleted"] } } } },
];

/** New sessions, also those that a restore or a message has created. The archiver reads them if users may have only so many sessions. */
export const newSessionRecords = {
  eventName: ["INSERT"],
  dynamodb: { Keys: { sk: { S: ["Z"] } }, NewImage: { status: { S: ["active", "incognito"] } } },
};

/** An export begins, or its next run. */
export const exportRecords = [{ eventName: ["INSERT", "MODIFY"], dynamodb: { Keys: { sk: { S: ["X"] } } } }];

/** New messages, and changes of trees, after which other messages may be current. */
export const rememberRecords = [
  { eventName: ["INSERT"], dynamodb: { Keys: { sk: { S: [{ prefix: "M#" }] } } } },
  { eventName: ["INSERT", "MODIFY"], dynamodb: { Keys: { sk: { S: [{ prefix: "T#" }] } } } },
];
