/** A table as data, so that CDK and the tests create the same one. All keys are strings. */
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
  /** Attributes that the index holds besides the keys; absent = keys only. */
  nonKeyAttributes?: readonly string[];
}

/** Searched by cosine similarity. Items without the vector or the partition key are not in the index. */
export interface VectorIndexSpec {
  /** The attribute that holds the vector. */
  vector: string;
  dimensions: number;
  /** A search must give its value. */
  partitionKey: string;
  /** Attributes that a search may filter by. */
  filters: readonly string[];
  nonKeyAttributes: readonly string[];
}

/** Sessions of a user by last activity. Only headers and archived stubs have `owner`. */
export const SESSIONS_BY_ACTIVITY = "sessions_by_activity";

/** Sessions that the reconciler must check, by time. Only anchors and tombstones have `due_shard`. */
export const SESSIONS_DUE = "sessions_due";

/** Memories of a user by id, and so by time. */
export const MEMORIES_BY_TIME = "memories_by_time";

/** Events of a user by time. Only events have `user_id`. */
export const EVENTS_BY_USER = "events_by_user";

/** Audit records about the data of a user, by time. */
export const AUDIT_BY_SUBJECT = "audit_by_subject";

/** A vector index of memories: its slot, and the dimensions of its vectors. */
export interface VectorPlace {
  slot: "a" | "b";
  dimensions: number;
}

/**
 * The default dimensions of the vector indexes of memories. Slot a has room for the vectors of a model. Slot b is for the built-in
 * embedding: on LoCoMo, 200 dimensions find 1 % less among ten than 512, and an item of 512 costs the embedded engine twice the time.
 */
export const defaultDimensions = { a: 512, b: 200 } as const;

/** The dimensions of the vector indexes whose names have no number. */
const UNNUMBERED_DIMENSIONS = 512;

/**
 * The names of a vector index of memories and of the attribute that it indexes. They contain the dimensions, because
 * CloudFormation cannot change the dimensions of an index: other dimensions need another index.
 */
export function memoryVectorNames({ slot, dimensions }: VectorPlace): { index: string; vector: string } {
  const suffix = dimensions === UNNUMBERED_DIMENSIONS ? slot : `${slot}_${dimensions}`;
  return { index: `memories_${suffix}`, vector: `vector_${suffix}` };
}

/** Reads the slot and the dimensions in an attribute's name; undefined = the attribute holds no vector. */
export function parseMemoryVector(attribute: string): VectorPlace | undefined {
  const [, slot, dimensions] = /^vector_([ab])(?:_(\d+))?$/.exec(attribute) ?? [];
  if (slot !== "a" && slot !== "b") return undefined;
  return { slot, dimensions: dimensions === undefined ? UNNUMBERED_DIMENSIONS : Number(dimensions) };
}

/** The common part of all vector indexes of memories. */
export const memoryVectorIndex = {
  partitionKey: "memory_of",
  filters: ["session_id", "said_in_month", "said_in_year"],
  // Re-ranking and the answer need these. The index returns them, so that the items are not read again.
  nonKeyAttributes: ["id", "said"],
} as const;

/** The vector indexes of memories by name, for `TableSpec.vectorIndexes`. */
export function memoryVectorIndexes(all: readonly VectorPlace[]): Record<string, VectorIndexSpec> {
  return Object.fromEntries(
    all.map(({ slot, dimensions }) => {
      const { index, vector } = memoryVectorNames({ slot, dimensions });
      return [index, { vector, dimensions, ...memoryVectorIndex }];
    }),
  );
}

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
        "head_id",
      ],
    },
    [SESSIONS_DUE]: { partitionKey: "due_shard", sortKey: "due_at" },
    [MEMORIES_BY_TIME]: { partitionKey: "memory_of", sortKey: "id", nonKeyAttributes: ["session_id", "said"] },
  },
  // The default. A deployment can choose other dimensions.
  vectorIndexes: memoryVectorIndexes([
    { slot: "a", dimensions: defaultDimensions.a },
    { slot: "b", dimensions: defaultDimensions.b },
  ]),
} as const satisfies TableSpec;

/** Exports. They have a separate table, because its stream starts the job: AWS advises against more than two readers per stream. */
export const exportTable = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: true,
  indexes: {},
} as const satisfies TableSpec;

/** Notes of requests until their audit records are written. Its stream starts the job that writes them. */
export const auditOutbox = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: true,
  indexes: {},
} as const satisfies TableSpec;

/** Audit records. */
export const audit = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: false,
  indexes: {
    [AUDIT_BY_SUBJECT]: {
      partitionKey: "subject",
      sortKey: "sk",
      nonKeyAttributes: ["id", "at", "actor", "action", "request_id", "expires_at"],
    },
  },
} as const satisfies TableSpec;

/** Metrics, their aggregates, events and the state of jobs: see `shared/metrics/metric-keys.ts`. */
export const metrics = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: false,
  indexes: {
    [EVENTS_BY_USER]: {
      partitionKey: "user_id",
      sortKey: "sk",
      nonKeyAttributes: ["id", "type", "session_id", "message_id", "value", "name", "metadata", "created_at"],
    },
  },
} as const satisfies TableSpec;
