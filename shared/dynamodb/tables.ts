/** A table as data: what CDK creates and what tests create are the same. All keys are strings. */
export interface TableSpec {
  partitionKey: string;
  sortKey: string;
  /** The attribute of DynamoDB's native TTL: epoch seconds. */
  ttl: string;
  indexes: Record<string, IndexSpec>;
}

export interface IndexSpec {
  partitionKey: string;
  sortKey: string;
  /** Attributes copied into the index beside the keys; absent = keys only. */
  nonKeyAttributes?: readonly string[];
}

/** Sessions of a user by last activity: headers and archived stubs have `owner`, nothing else does. */
export const SESSIONS_BY_ACTIVITY = "sessions_by_activity";

/** Sessions whose state the reconciler has to look at, by when: anchors have `due_shard`, nothing else does. */
export const SESSIONS_DUE = "sessions_due";

export const conversations = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  indexes: {
    [SESSIONS_BY_ACTIVITY]: {
      partitionKey: "owner",
      sortKey: "updated_at",
      nonKeyAttributes: [
        "id",
        "status",
        "title",
        "metadata",
        "created_at",
        "archived_at",
        "expires_at",
        "ttl_seconds",
        "pinned",
        "message_count",
        "version",
      ],
    },
    [SESSIONS_DUE]: { partitionKey: "due_shard", sortKey: "due_at" },
  },
} as const satisfies TableSpec;

/** Metrics, their aggregates, events and the state of jobs: see `shared/metrics/keys.ts`. */
export const metrics = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  indexes: {},
} as const satisfies TableSpec;
