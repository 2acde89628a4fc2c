/**
 * The end of a life: nothing fails any more, everything that is on its way arrives, and schedules run. Then what is stored has to be
 * what clients were told, and no more.
 */
import {
  fileKey,
  headerKey,
  openErasures,
  parseFileUseKey,
  parseMessageKey,
  parseSessionKey,
  sessionKey,
} from "../../shared/dynamodb/keys.ts";
import { INCOGNITO, TURN_PREFIX } from "../../shared/session/items.dynamodb.ts";
import type { Item } from "../support/memory-dynamodb/expressions.ts";
import { createAccountChecks } from "./check-accounts.ts";
import { type Client, hasFile } from "./client.ts";
import { deploy, GRACE } from "./deployment.ts";
import type { History, Item as Message } from "./history.ts";
import { mayBeUnremembered } from "./judge-person.ts";
import { isSaying, mayBeForgotten, nameOf, readText, type Violation } from "./model.ts";
import { storedOf } from "./person.ts";
import type { Plan } from "./plan.ts";
import { AUDIT, BEGINNING, EXPORTS, OUTBOX, type World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Found {
  user: string;
  session: string;
  /** Of all branches. */
  messages: Message[];
  current: Message[];
}

export async function endLife(world: World, plan: Plan, history: History, client: Client): Promise<Violation[]> {
  const { timeline, table, bucket } = world;
  const violations: Violation[] = [];
  const fail = (rule: string, detail: string) => void violations.push({ rule, detail });
  let runs = 0;
  const instance = (what: string) => world.instance(`end ${what} ${runs++}`);

  world.calmDown();
  await timeline.drain();

  /** Lets time pass, DynamoDB delete what has expired, and the reconciler look. */
  async function pass(milliseconds: number): Promise<void> {
    timeline.skip(milliseconds);
    table.expire(Math.floor(timeline.now() / 1000));
    await timeline.drain();
    await running(
      deploy(world, instance("reconciler"))
        .reconcile()
        .catch((error: unknown) => fail("the reconciler fails", String(error))),
    );
  }

  async function running<T>(work: Promise<T>): Promise<T> {
    await timeline.drain();
    return work;
  }

  async function readAll(): Promise<Found[]> {
    const found: Found[] = [];
    for (const key of new Set(plan.actions.map(({ user, session }) => `${user}/${session}`))) {
      const [user = "", session = ""] = key.split("/");
      const read = (branch: "all" | "current") =>
        running(client.read("end", { user, session }, branch, instance("reader")));
      const [messages, current] = [await read("all"), await read("current")];
      if (!messages || !current) {
        if (messages !== null || current !== null) fail("a session cannot be read", key);
      } else found.push({ user, session, messages, current });
    }
    return found;
  }

  // What is still being erased is erased now, and what was written meanwhile on its way.
  for (let n = 0; n < 4 && table.all().some(({ pk }) => pk === openErasures); n++) {
    timeline.skip(GRACE);
    await running(deploy(world, instance("eraser")).erase());
  }
  if (table.all().some(({ pk, stage }) => pk === openErasures && stage !== "late")) fail("an erasure does not end", "");

  const checks = createAccountChecks({ world, plan, history, fail, pass, running, instance });
  const hasErased = history.deeds.some(({ kind }) => kind === "erase");
  if (!hasErased) await checks.budgets();
  for (let n = 0; n < 3; n++) await pass(16 * MINUTE);
  // Folding a day takes many calls, so only some lives do it.
  if (!hasErased && plan.seed % 8 === 0 && timeline.now() - BEGINNING < 20 * HOUR) await checks.report();
  await recallAll(await readAll());

  for (let n = 0; n < 2; n++) await pass(2 * DAY);
  await running(deploy(world, instance("builder")).buildLake());
  const found = await readAll();
  checkEnds(found);
  checkTable(found);
  checkHeaders(found);
  checkFiles(found);
  checkBucket(found);
  checkCounters();
  checkAudit();
  for (const erasure of [...history.erasures])
    history.erasures.push({ ...erasure, stored: storedOf(world, erasure.user), left: [] });

  timeline.skip(370 * DAY);
  bucket.expire(timeline.now() - 369 * DAY);
  for (let n = 0; n < 3; n++) await pass(4 * DAY);
  const active = found.filter(({ user, session }) => isHot(table.get(headerKey(user, session))));
  checkTable(active);
  checkFiles(active);
  if (bucket.objects.size > 0) fail("an archive object is left over for ever", [...bucket.objects.keys()].join(", "));
  checkCounters();
  return violations;

  /** What is said in sessions that are there can be recalled, unless it was forgotten. */
  async function recallAll(all: readonly Found[]): Promise<void> {
    for (const { user, session, current } of all) {
      if (history.incognito.has(`${user}/${session}`)) continue;
      for (const { text } of current.filter(({ content }) => content !== "")) {
        const told = readText(text);
        const deed = history.deeds.find((one) => one.action === told?.action && isSaying(one));
        if (!told || !deed || mayBeForgotten(history, deed, text) || mayBeUnremembered(history, deed)) continue;
        const body = { query: `z${told.action}x${told.n}q`, limit: 50 };
        const began = timeline.now();
        const reply = await running(
          deploy(world, instance("searcher")).serve({ operation: "searchMemories", user, body }),
        );
        const recalled = (reply.body.data as { content: string }[]).map(({ content }) => content);
        history.sights.push({
          kind: "memories",
          action: "end",
          user,
          session,
          began,
          ended: timeline.now(),
          isWhole: false,
          texts: recalled,
        });
        if (!recalled.includes(text)) fail("a message is not remembered", `${text} of ${user}/${session}`);
      }
    }
  }

  /** Every item belongs to something that is there. */
  function checkTable(all: readonly Found[]): void {
    const there = new Map(all.map((one) => [`${one.user}/${one.session}`, one]));
    for (const item of table.all()) {
      const [pk, sk] = [String(item.pk), String(item.sk)];
      if (!pk.includes("#S#")) {
        if (pk.endsWith("#K")) fail("an item is left over", `${pk} ${sk}`);
        continue;
      }
      const { user, id } = parseSessionKey(pk);
      const one = there.get(`${user}/${id}`);
      if (!one || !belongs(item, one, table.get(headerKey(user, id)))) fail("an item is left over", `${pk} ${sk}`);
    }
    for (const { user, session } of all) {
      if (!table.get(headerKey(user, session))) fail("a session has neither header nor stub", `${user}/${session}`);
    }
  }

  /** An incognito session is there only if it never expires. */
  function checkEnds(all: readonly Found[]): void {
    for (const { user, session } of all) {
      const { status, ttl_seconds } = table.get(headerKey(user, session)) ?? {};
      if (status === INCOGNITO && ttl_seconds !== 0)
        fail("an incognito session is there after its end", `${user}/${session}`);
    }
  }

  /** Headers and stubs say what lists show. */
  function checkHeaders(all: readonly Found[]): void {
    for (const { user, session, messages, current } of all) {
      const header = table.get(headerKey(user, session));
      // A turn that died is counted by the next one.
      if (!header || Object.keys(header).some((name) => name.startsWith(TURN_PREFIX))) continue;
      const whose = `${user}/${session}`;
      if (header.message_count !== messages.length)
        fail("the count of messages is wrong", `${header.message_count} instead of ${messages.length} in ${whose}`);
      const head = current.at(-1)?.id;
      if (header.head_id !== head) fail("the head is wrong", `${header.head_id} instead of ${head} in ${whose}`);
    }
  }

  /** Every message that has a file has its content, and there is no other content. */
  function checkFiles(all: readonly Found[]): void {
    const used = new Set<string>();
    for (const { user, session, messages } of all) {
      const uses = table.all().filter(({ pk, sk }) => pk === sessionKey(user, session) && String(sk).startsWith("F#"));
      const files = uses.map(({ sk }) => parseFileUseKey(String(sk)).file);
      const withFile = messages.filter(({ text }) => {
        const told = readText(text);
        const deed = history.deeds.find((one) => one.action === told?.action && one.kind === "append");
        return told && deed && hasFile(told.action, told.n);
      });
      if (files.length !== withFile.length) {
        fail("the uses of files are wrong", `${files.length} instead of ${withFile.length} in ${user}/${session}`);
      }
      for (const file of files) {
        used.add(`${user}/${file}`);
        const item = table.get(fileKey(user, file));
        if (item?.session !== session || "expires_at" in item) fail("a file is not that of its session", file);
        if (!bucket.files.has(`${user}/${file}`)) fail("a file has lost its content", `${user}/${session}`);
      }
    }
    for (const key of bucket.files.keys()) if (!used.has(key)) fail("the content of a file is left over", key);
    for (const { pk, sk } of table.all().filter((item) => String(item.pk).endsWith("#F"))) {
      const key = `${decodeURIComponent(String(pk).split("#")[1] ?? "")}/${String(sk).slice(2)}`;
      if (!used.has(key)) fail("a file is left over", key);
    }
  }

  /** Every object of the archive is that of a stub, and the lake has what the archive has. */
  function checkBucket(all: readonly Found[]): void {
    const archived = all.flatMap((one) => {
      const { user, session } = one;
      const { archive, status } = table.get(headerKey(user, session)) ?? {};
      return status === "archived" ? [{ ...one, key: JSON.parse(String(archive)).key as string }] : [];
    });
    for (const key of bucket.objects.keys()) {
      if (!archived.some((one) => one.key === key)) fail("an archive object is left over", key);
    }
    const rows = bucket
      .rowsOf("messages")
      .map((row) => rowOf({ ...row, user: row.user_hash, session: row.session_id, id: String(row.message_id) }));
    const wanted = archived.flatMap(({ user, session, messages, current }) => {
      const path = new Set(current.map(({ id }) => id));
      return messages.map((message) => rowOf({ ...message, user, session, is_current: path.has(message.id) }));
    });
    const extra = rows.filter((row) => !wanted.includes(row));
    const missing = wanted.filter((row) => !rows.includes(row));
    if (extra.length > 0) fail("the lake has what is not in the archive", extra.join(", "));
    // A session that is archived for more than 180 days is no longer in the lake.
    if (missing.length > 0 && history.ages.length === 0)
      fail("the lake lacks what is in the archive", missing.join(", "));
    if (new Set(rows).size < rows.length) fail("the lake has a message twice", rows.join(", "));
  }

  /** Each audited request that was answered has one record, and no request has two. No note waits any more. */
  function checkAudit(): void {
    const records = world.dynamo
      .table(AUDIT)
      .all()
      .map(({ request_id }) => String(request_id));
    const count = (id: string) => records.filter((one) => one === id).length;
    for (const { request_id, status } of history.audited)
      if (status < 300 && count(request_id) === 0) fail("an audited action has no record", request_id);
    for (const id of new Set(records)) if (count(id) > 1) fail("an action has several audit records", id);
    for (const { id } of world.dynamo.table(OUTBOX).all()) fail("a note for the audit is left over", String(id));
    for (const { id, status } of world.dynamo.table(EXPORTS).all())
      if (status === "running") fail("an export does not end", String(id));
    for (const key of bucket.exports.keys())
      if (key.endsWith(".json")) fail("the progress of an export is left over", key);
  }

  function checkCounters(): void {
    const items = table.all();
    const counted = items.filter(({ pk }) => pk === "C#active_sessions").reduce((sum, { n }) => sum + Number(n), 0);
    const active = items.filter((item) => item.sk === "Z" && isHot(item)).length;
    if (counted !== active) fail("the counter of active sessions is wrong", `${counted} instead of ${active}`);
    for (const { pk, memories, forgotten_before } of items.filter(({ sk }) => sk === "E")) {
      const stored = items.filter((item) => item.memory_of === String(pk).slice(2));
      const counting = stored.filter(({ said }) => JSON.parse(String(said)).arrived >= Number(forgotten_before));
      // An instance whose clock is behind takes what was just said for something that comes later.
      const isVague = plan.weather.skew && history.deeds.some(({ kind }) => kind === "forget-all");
      if (counting.length !== memories && !isVague)
        fail("the count of memories is wrong", `${memories} instead of ${counting.length} (${pk})`);
    }
  }
}

/** What the lake says of a message. */
interface LakeRow {
  user: string | null;
  session: string | null;
  id: string;
  parent_id: string | null;
  content: string | null;
  is_current: boolean | null;
}

const rowOf = ({ user, session, id, parent_id, content, is_current }: LakeRow): string =>
  `${user}/${session}: ${content} (${id} follows ${parent_id}, current: ${is_current})`;

/** Whether the messages of a session with this header are in the table. */
const isHot = (header: Item | null): boolean => header?.status === "active" || header?.status === INCOGNITO;

/** Whether an item is part of a session that has these messages. Only those of the current branch have memories. */
function belongs({ sk, id, forgotten, said }: Item, { messages, current }: Found, header: Item | null): boolean {
  const key = String(sk);
  if (key === "A" || key === "Z") return true;
  if (/^[IMT]#/.test(key)) {
    const { generation, position } = parseMessageKey(key);
    if (!isHot(header) || generation !== header?.generation) return false;
    return !key.startsWith("M#") || messages.some((one) => one.id === (id ?? position.split("#")[1]));
  }
  if (key.startsWith("F#")) return true;
  if (!key.startsWith("E#")) return false;
  if (forgotten) return true;
  const told = readText(String(JSON.parse(String(said)).content));
  return told !== null && current.some(({ text }) => nameOf(readText(text) ?? { ...told, n: -1 }) === nameOf(told));
}
