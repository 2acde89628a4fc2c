/** An item as it is stored. */
export type StoredItem = Record<string, unknown>;

type Kind = [kind: string, pk: RegExp, sk: RegExp, is?: (item: StoredItem) => boolean];

const expires = ({ expires_at }: StoredItem) => expires_at !== undefined;
const lasts = (item: StoredItem) => !expires(item);

const USER = "U#[^#]+";
const ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}";
const TIME = "\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z";
const matches = (...parts: string[]) => new RegExp(`^${parts.join("")}$`);

const user = matches(USER);
const session = matches(USER, "#S#[^#]+");
const files = matches(USER, "#F");
const exported = matches(USER, "#X");

/**
 * The kinds of items by table, as the retention policy names them, with the whole form of their keys. Here so that a test notices an
 * item with another key.
 */
const kinds = {
  conversations: [
    ["header", session, /^Z$/, ({ status }) => status === "active" || status === "incognito"],
    ["stub", session, /^Z$/, ({ status }) => status === "archived"],
    ["anchor", session, /^A$/],
    ["tombstone", session, /^D#\d{10}$/],
    ["message", session, matches("M#\\d{10}#", TIME, "#[^#]+")],
    ["message-id", session, /^I#\d{10}#[^#]+$/],
    ["live-text", session, /^L#\d{10}#[^#]+$/],
    ["tree", session, /^T#\d{10}$/],
    ["memory", session, /^E#[^#]+$/, ({ said }) => said !== undefined],
    ["forgotten-memory", session, /^E#[^#]+$/, ({ said }) => said === undefined],
    ["file-use", session, matches("F#", ID, "#\\d{10}#[^#]+")],
    ["memory-summary", user, /^E$/, lasts],
    ["empty-memory-summary", user, /^E$/, expires],
    ["person", user, /^P$/],
    ["file", files, matches("F#", ID), lasts],
    ["unused-file", files, matches("F#", ID), expires],
    ["idempotency", matches(USER, "#K"), /^K#[0-9a-f]{64}$/],
    ["limits", matches(USER, "#L"), /^L$/],
    ["erasure-receipt", matches("X#", ID), /^X$/],
    ["open-erasure", /^X#open$/, matches(ID)],
    ["provider", /^P#[^#]+$/, /^(breaker|queue)$/],
    ["counter", /^C#active_sessions$/, /^\d{2}$/],
    ["write-probe", /^C#write_probe$/, /^probe$/],
    ["memory-layout", /^C#memories$/, /^layout$/],
    ["lake-day", /^L#days$/, /^\d{4}-\d{2}-\d{2}$/],
    ["lake-basis", /^L#basis$/, /^basis$/],
  ],
  metrics: [
    ["raw-metric", /^R#\d{4}-\d{2}-\d{2}T\d{2}#\d{2}$/, matches(TIME, "#[^#]+")],
    ["hourly-aggregate", /^H#\d{4}-\d{2}-\d{2}#[^#]+$/, /^\d{4}-\d{2}-\d{2}T\d{2}#[^#]*$/],
    ["daily-aggregate", /^D#\d{4}-\d{2}#[^#]+$/, /^\d{4}-\d{2}-\d{2}#[^#]*$/],
    ["monthly-aggregate", /^M#[^#]+$/, /^\d{4}-\d{2}#[^#]*$/],
    ["event", /^E#\d{4}-\d{2}-\d{2}#\d{2}$/, matches(TIME, "#[^#]+")],
    ["job", /^J$/, /^[a-z][a-z-]*$/],
  ],
  exports: [
    ["export", exported, matches("X#", ID)],
    ["latest-export", exported, /^X$/],
  ],
  auditOutbox: [["audit-note", /^O$/, matches(ID)]],
  audit: [["audit", /^\d{4}-\d{2}$/, matches(ID)]],
} satisfies Record<string, Kind[]>;

export type StoredTable = keyof typeof kinds;

/** The kind of a stored item; undefined = no known key has this form. */
export function kindOf(table: StoredTable, item: StoredItem): string | undefined {
  const all: Kind[] = kinds[table];
  return all.find(
    ([, pk, sk, is]) => pk.test(String(item.pk)) && sk.test(String(item.sk)) && (is?.(item) ?? true),
  )?.[0];
}
