/** A table as data: what CDK creates and what tests create are the same. All keys are strings. */
export interface TableSpec {
  partitionKey: string;
  sortKey: string;
  /** The attribute of DynamoDB's native TTL: epoch seconds. */
  ttl: string;
  /** Whether the table has a stream, with new and old images. */
  streamed: boolean;
  indexes: Record<string, IndexSpec>;
  vectorIndexes?: Record<string, VectorIndexSpec>;
}

export interface IndexSpec {
  partitionKey: string;
  sortKey: string;
  /** Attributes copied into the index beside the keys; absent = keys only. */
  nonKeyAttributes?: readonly string[];
}

/** Searched by cosine similarity. An item without the vector or the partition key is not in it. */
export interface VectorIndexSpec {
  /** Which of the configured numbers of dimensions it has. */
  slot: "a" | "b";
  vector: string;
  /** Every search names its value. */
  partitionKey: string;
  /** Attributes that a search may name the value of. */
  filters: readonly string[];
  nonKeyAttributes: readonly string[];
}

/** Sessions of a user by last activity: headers and archived stubs have `owner`, nothing else does. */
export const SESSIONS_BY_ACTIVITY = "sessions_by_activity";

/** Sessions whose state the reconciler has to look at, by when: anchors have `due_shard`, nothing else does. */
export const SESSIONS_DUE = "sessions_due";

/** Memories of a user by id, which is by when they were said. */
export const MEMORIES_BY_TIME = "memories_by_time";

/** Memories of a user by what they mean, by slot. */
export const MEMORY_VECTORS = { a: "memories_a", b: "memories_b" } as const;

/** The vector indexes of memories. */
export const memoryVectors = {
  partitionKey: "memory_of",
  filters: ["session_id", "said_in_month", "said_in_year"],
  // What re-ranking reads of candidates and what is shown of the best, which then need not be read once more.
  nonKeyAttributes: ["id", "said"],
} as const;

export const conversations = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: true,
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
      ],
    },
    [SESSIONS_DUE]: { partitionKey: "due_shard", sortKey: "due_at" },
    [MEMORIES_BY_TIME]: {
      partitionKey: "memory_of",
      sortKey: "id",
      nonKeyAttributes: ["session_id", "said"],
    },
  },
  vectorIndexes: {
    [MEMORY_VECTORS.a]: { slot: "a", vector: "vector_a", ...memoryVectors },
    [MEMORY_VECTORS.b]: { slot: "b", vector: "vector_b", ...memoryVectors },
  },
} as const satisfies TableSpec;

/** Metrics, their aggregates, events and the state of jobs: see `shared/metrics/keys.ts`. */
export const metrics = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: false,
  indexes: {},
} as const satisfies TableSpec;
