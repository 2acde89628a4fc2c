/**
 * The end of a life: nothing fails any more, everything that is on its way arrives, and schedules run. Then what is stored has to be
 * what clients were told, and no more.
 */
import {
  fileKey,
  headerKey,
  parseFileUseKey,
  parseMessageKey,
  parseSessionKey,
  sessionKey,
} from "../../shared/dynamodb/keys.ts";
import type { Item } from "../support/memory-dynamodb/expressions.ts";
import { type Client, hasFile } from "./client.ts";
import { deploy } from "./deployment.ts";
import { USAGE } from "./fake-model.ts";
import type { History } from "./history.ts";
import { isSaying, mayBeForgotten, nameOf, ranBesideRemoval, readText, type Violation } from "./model.ts";
import type { Plan } from "./plan.ts";
import { BEGINNING, type World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Found {
  user: string;
  session: string;
  texts: string[];
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
      const texts = await running(client.read("end", user, session, instance("reader")));
      if (texts === undefined) fail("a session cannot be read", key);
      else if (texts !== null) found.push({ user, session, texts });
    }
    return found;
  }

  await checkBudgets();
  for (let n = 0; n < 3; n++) await pass(16 * MINUTE);
  // Folding a day takes many calls, so only some lives do it.
  if (plan.seed % 8 === 0 && timeline.now() - BEGINNING < 20 * HOUR) await checkReport();
  await recallAll(await readAll());

  for (let n = 0; n < 2; n++) await pass(2 * DAY);
  await running(deploy(world, instance("builder")).buildLake());
  const found = await readAll();
  checkTable(found);
  checkFiles(found);
  checkBucket(found);
  checkCounters();

  timeline.skip(370 * DAY);
  bucket.expire(timeline.now() - 369 * DAY);
  for (let n = 0; n < 3; n++) await pass(4 * DAY);
  const active = found.filter(({ user, session }) => table.get(headerKey(user, session))?.status === "active");
  checkTable(active);
  checkFiles(active);
  if (bucket.objects.size > 0) fail("an archive object is left over for ever", [...bucket.objects.keys()].join(", "));
  checkCounters();
  return violations;

  /** What was spent on the day of the last turn is what its turns have used: each turn once. */
  async function checkBudgets(): Promise<void> {
    for (const user of new Set(plan.actions.map((action) => action.user))) {
      const turns = history.deeds.filter((deed) => deed.kind === "turn" && deed.user === user);
      const last = Math.max(...turns.map(({ began }) => began));
      // What was used is kept for two days.
      if (turns.length === 0 || timeline.now() - last > 47 * HOUR) continue;
      // A turn about midnight may count to either day.
      const dayOf = (time: number) => Math.floor(time / DAY);
      const isAboutMidnight = turns.some(
        ({ began, effective }) => dayOf(began - MINUTE) !== dayOf(effective() + MINUTE),
      );
      if (isAboutMidnight) continue;
      const today = turns.filter(({ began }) => dayOf(began) === dayOf(last));
      const whole = today.filter(
        ({ outcome, says }) => outcome === "done" && says.some((text) => text.endsWith("asked")),
      );
      const isExact = whole.length === today.length && !today.some(({ isHit }) => isHit());
      const usage = await running(deploy(world, instance("accountant")).usage(user, last));
      const [input, output] = [whole.length * USAGE.input_tokens, whole.length * USAGE.output_tokens];
      const detail = `${JSON.stringify(usage)} after ${whole.length} whole turns of ${today.length} of ${user}`;
      if (isExact && (usage.input_tokens !== input || usage.output_tokens !== output))
        fail("a budget is wrong", detail);
      if (isExact && usage.spent !== input + output) fail("a budget is wrong", detail);
      const unhit = whole.filter(({ isHit }) => !isHit()).length;
      if (usage.input_tokens < unhit * USAGE.input_tokens) fail("a turn is not counted in the budget", detail);
      if (usage.spent < 0) fail("a budget is wrong", detail);
    }
  }

  /** The report says what a count over the metrics says, and, when no metric was lost, what a count over the data says. */
  async function checkReport(): Promise<void> {
    const month = new Date(BEGINNING).toISOString().slice(0, 7);
    await pass(HOUR);
    for (const granularity of ["hour", "day", "month"] as const) {
      await running(deploy(world, instance("folder")).fold(granularity));
      timeline.skip(15 * MINUTE);
    }
    const { figures } = await running(deploy(world, instance("reporter")).report(month));
    const raw = world.metrics.all().filter(({ pk, kind }) => String(pk).startsWith("R#") && kind === "api.request");
    const sum = (measure: string) =>
      raw.reduce((total, { measures }) => total + ((measures as Record<string, number>)[measure] ?? 0), 0);
    const said = [figures.requests, figures.sessions, figures.messages];
    // What a function stores after it has answered is measured by itself: that is no request.
    const requests = raw.filter(({ measures }) => "duration_ms" in (measures as object)).length;
    const counted = [requests, sum("sessions"), sum("messages")];
    if (String(said) !== String(counted))
      fail("the report is wrong", `requests, sessions, messages: ${said} instead of ${counted}`);
    const stored = [history.served, world.truth.sessions, world.truth.messages.size];
    const isWhole = requests === history.served && !history.deeds.some(({ isHit }) => isHit());
    // The answer of a turn beside a reset or deletion may have been stored and removed again before the turn could count it.
    const discarded = history.deeds.filter((deed) => deed.kind === "turn" && ranBesideRemoval(history, deed)).length;
    const [, , messages = 0] = counted;
    const missing = world.truth.messages.size - messages;
    const expected = missing > 0 && missing <= discarded ? [...stored.slice(0, 2), messages] : stored;
    if (isWhole && String(counted) !== String(expected)) {
      fail("metrics do not say what was stored", `requests, sessions, messages: ${counted} instead of ${stored}`);
    }
  }

  /** What is said in sessions that are there can be recalled, unless it was forgotten. */
  async function recallAll(all: readonly Found[]): Promise<void> {
    for (const { user, session, texts } of all) {
      for (const text of texts) {
        const told = readText(text);
        const deed = history.deeds.find((one) => one.action === told?.action && isSaying(one));
        if (!told || !deed || mayBeForgotten(history, deed, text)) continue;
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

  /** Every message that has a file has its content, and there is no other content. */
  function checkFiles(all: readonly Found[]): void {
    const used = new Set<string>();
    for (const { user, session, texts } of all) {
      const uses = table.all().filter(({ pk, sk }) => pk === sessionKey(user, session) && String(sk).startsWith("F#"));
      const files = uses.map(({ sk }) => parseFileUseKey(String(sk)).file);
      const withFile = texts.filter((text) => {
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
    const archived = all.flatMap(({ user, session, texts }) => {
      const { archive, status } = table.get(headerKey(user, session)) ?? {};
      return status === "archived" ? [{ user, session, texts, key: JSON.parse(String(archive)).key as string }] : [];
    });
    for (const key of bucket.objects.keys()) {
      if (!archived.some((one) => one.key === key)) fail("an archive object is left over", key);
    }
    const rows = bucket
      .rowsOf("messages")
      .map(({ user_hash, session_id, content }) => `${user_hash}/${session_id}: ${content}`);
    const wanted = archived.flatMap(({ user, session, texts }) => texts.map((text) => `${user}/${session}: ${text}`));
    const extra = rows.filter((row) => !wanted.includes(row));
    const missing = wanted.filter((row) => !rows.includes(row));
    if (extra.length > 0) fail("the lake has what is not in the archive", extra.join(", "));
    // A session that is archived for more than 180 days is no longer in the lake.
    if (missing.length > 0 && history.ages.length === 0)
      fail("the lake lacks what is in the archive", missing.join(", "));
    if (new Set(rows).size < rows.length) fail("the lake has a message twice", rows.join(", "));
  }

  function checkCounters(): void {
    const items = table.all();
    const counted = items.filter(({ pk }) => pk === "C#active_sessions").reduce((sum, { n }) => sum + Number(n), 0);
    const active = items.filter(({ sk, status }) => sk === "Z" && status === "active").length;
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

/** Whether an item is part of a session that has these messages. */
function belongs({ sk, forgotten, said }: Item, { texts }: Found, header: Item | null): boolean {
  const key = String(sk);
  if (key === "A" || key === "Z") return true;
  if (/^[IM]#/.test(key)) return header?.status === "active" && parseMessageKey(key).generation === header.generation;
  if (key.startsWith("F#")) return true;
  if (!key.startsWith("E#")) return false;
  if (forgotten) return true;
  const told = readText(String(JSON.parse(String(said)).content));
  return told !== null && texts.some((text) => nameOf(readText(text) ?? { ...told, n: -1 }) === nameOf(told));
}
