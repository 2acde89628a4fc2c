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
  /** The attribute that holds the vector. */
  vector: string;
  dimensions: number;
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

/** Where a memory may have a vector: a slot, in a number of dimensions. Each place has a vector index of its own. */
export interface VectorPlace {
  slot: "a" | "b";
  dimensions: number;
}

/** The dimensions of the vector indexes whose names have no number. */
const UNNUMBERED_DIMENSIONS = 512;

/**
 * The names of a vector index of memories and of the attribute that it indexes. The names have the dimensions in them because
 * CloudFormation cannot change the dimensions of an index: an index with other dimensions has to be another index.
 */
export function memoryVectorNames({ slot, dimensions }: VectorPlace): { index: string; vector: string } {
  const suffix = dimensions === UNNUMBERED_DIMENSIONS ? slot : `${slot}_${dimensions}`;
  return { index: `memories_${suffix}`, vector: `vector_${suffix}` };
}

/** The vectors that an attribute of a memory holds; undefined = it holds no vector. */
export function parseMemoryVector(attribute: string): VectorPlace | undefined {
  const [, slot, dimensions] = /^vector_([ab])(?:_(\d+))?$/.exec(attribute) ?? [];
  if (slot !== "a" && slot !== "b") return undefined;
  return { slot, dimensions: dimensions === undefined ? UNNUMBERED_DIMENSIONS : Number(dimensions) };
}

/** What all vector indexes of memories have in common. */
export const memoryVectorIndex = {
  partitionKey: "memory_of",
  filters: ["session_id", "said_in_month", "said_in_year"],
  // What re-ranking reads of candidates and what is shown of the best, which then need not be read once more.
  nonKeyAttributes: ["id", "said"],
} as const;

/** The vector indexes of memories, by name: what `TableSpec.vectorIndexes` takes. */
export const memoryVectorIndexes = (all: readonly VectorPlace[]): Record<string, VectorIndexSpec> =>
  Object.fromEntries(
    all.map(({ slot, dimensions }) => {
      const { index, vector } = memoryVectorNames({ slot, dimensions });
      return [index, { vector, dimensions, ...memoryVectorIndex }];
    }),
  );

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
  // The default: a deployment may ask for other dimensions.
  vectorIndexes: memoryVectorIndexes([
    { slot: "a", dimensions: 512 },
    { slot: "b", dimensions: 512 },
  ]),
} as const satisfies TableSpec;

/** Metrics, their aggregates, events and the state of jobs: see `shared/metrics/keys.ts`. */
export const metrics = {
  partitionKey: "pk",
  sortKey: "sk",
  ttl: "expires_at",
  streamed: false,
  indexes: {},
} as const satisfies TableSpec;
