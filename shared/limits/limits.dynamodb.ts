import { toSeconds } from "../clock.ts";
import { limitsKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import { DAY_MS, dayOf, type Limits, type Reservation, type ReserveRequest } from "./limits.ts";
import { rateLimitHeaders, secondsLeft } from "./rate-limit-headers.ts";

/** Attempts at a reservation while other requests change the budget. */
const MAX_ATTEMPTS = 4;

/** `Retry-After` in seconds when running turns hold the rest of the budget. */
const HELD_RETRY = 5;

/** Costs are counted in billionths of a dollar, so that sums are exact. */
const NANO = 1e9;

/** Maximum attributes that one settlement removes: an expression has at most 300 operators and 4 KB. */
const MAX_CLEARED = 100;

/**
 * Usage in the table `conversations`: one item per user. Attribute names contain the minute or day, so a new period starts at zero.
 *
 *   q<minute>            requests of the minute
 *   s<day>               tokens used and reserved, which are compared with the budget
 *   n, i, o, c<day>      requests, input and output tokens, billionths of a dollar
 *   r<reservation>       a reservation: tokens, day, and the time at which it is given back
 *   g<reservation>       a reservation that was given back because its turn took too long
 *
 * The clocks of function instances differ, and turns span midnight. So an instance removes only attributes that no other instance uses:
 * minutes before the previous minute, and days before yesterday.
 */
export function createLimits(table: Table): Limits {
  return {
    async reserve(request) {
      let { tokens } = request;
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const outcome = await table.update(reserveParameters(request, tokens));
        if (outcome.done) return toReservation(request, tokens, outcome.item ?? {});
        const item = outcome.item ?? {};
        // The SDK repeated the update because the first response was lost. The reservation exists.
        const mine = item[`r${request.id}`] as StoredReservation | undefined;
        if (mine) return toReservation(request, mine.t, item);
        if (isTooOften(request, item)) throw tooManyRequests(request, item);
        const dead = deadReservations(item, request.now);
        if (dead.length > 0) await Promise.all(dead.map((id) => giveBack(request.user, id, item)));
        else {
          const left = request.plan.tokens_per_day - Number(item[`s${dayOf(request.now)}`] ?? 0);
          if (left < request.least) throw tooManyTokens(request, item);
          tokens = Math.min(tokens, left);
        }
      }
      throw new AppError("unavailable", "too many concurrent requests change the budget: try again", { retryAfter: 1 });
    },

    async settle(reservation, usage, costUsd) {
      const settled = await table.update(settleParameters(reservation, usage, costUsd, true));
      // If the reservation was given back because the turn took too long, its usage still counts. If neither attribute exists, the
      // reservation is settled: the SDK repeated the update because the first response was lost.
      if (!settled.done && usage) await table.update(settleParameters(reservation, usage, costUsd, false));
    },

    async usage(user, now) {
      const item = (await table.get(limitsKey(user))) ?? {};
      const day = dayOf(now);
      const of = (letter: string) => Number(item[letter + day] ?? 0);
      return {
        requests: of("n"),
        input_tokens: of("i"),
        output_tokens: of("o"),
        cost_usd: of("c") / NANO,
        spent: of("s"),
      };
    },
  };

  async function giveBack(user: string, attribute: string, item: Item): Promise<void> {
    const reservation = item[attribute] as StoredReservation;
    await table.update({
      Key: limitsKey(user),
      UpdateExpression: "SET #g = :given REMOVE #r ADD #s :less",
      ConditionExpression: "attribute_exists(#r)",
      ExpressionAttributeNames: { "#r": attribute, "#g": `g${attribute.slice(1)}`, "#s": `s${reservation.d}` },
      ExpressionAttributeValues: { ":less": -reservation.t, ":given": reservation },
    });
  }
}

/** Tokens, until (epoch ms) and day of a reservation. */
interface StoredReservation {
  t: number;
  u: number;
  d: string;
}

const minuteOf = (now: number): number => Math.floor(now / 60_000);

function reserveParameters({ user, plan, id, now, until, isCounted = false }: ReserveRequest, tokens: number) {
  const day = dayOf(now);
  const conditions = ["attribute_not_exists(#r)"];
  if (plan.requests_per_minute > 0) conditions.push("(attribute_not_exists(#q) OR #q < :rpm)");
  // A condition cannot add, so compare the spent tokens with the budget less this reservation.
  const room = plan.tokens_per_day - tokens;
  if (plan.tokens_per_day > 0) conditions.push(room < 0 ? "#s <= :room" : "(attribute_not_exists(#s) OR #s <= :room)");
  return {
    Key: limitsKey(user),
    UpdateExpression: "SET #r = :r, expires_at = :expires ADD #q :one, #n :one, #s :tokens",
    ConditionExpression: conditions.join(" AND "),
    ExpressionAttributeNames: { "#r": `r${id}`, "#q": `q${minuteOf(now)}`, "#n": `n${day}`, "#s": `s${day}` },
    ExpressionAttributeValues: {
      ":r": { t: tokens, u: until, d: day } satisfies StoredReservation,
      ":expires": toSeconds(now) + retention.limits.seconds,
      ":one": isCounted ? 0 : 1,
      ":tokens": tokens,
      ...(plan.requests_per_minute > 0 ? { ":rpm": plan.requests_per_minute } : {}),
      ...(plan.tokens_per_day > 0 ? { ":room": room } : {}),
    },
    ReturnValues: "ALL_NEW" as const,
    ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
  };
}

function toReservation({ user, plan, id, now }: ReserveRequest, tokens: number, item: Item): Reservation {
  return {
    user,
    id,
    tokens,
    day: dayOf(now),
    headers: rateLimitHeaders(plan, usedOf(item, now), now),
    stale: staleAttributes(item, now),
  };
}

/** Attributes that no function instance uses any more, even if its clock differs from this one's. */
function staleAttributes(item: Item, now: number): string[] {
  const oldestMinute = minuteOf(now) - 1;
  const oldestDay = dayOf(now - DAY_MS);
  const isStale = ([name, value]: [string, unknown]): boolean => {
    if (/^q\d+$/.test(name)) return Number(name.slice(1)) < oldestMinute;
    if (/^[nsioc]\d{8}$/.test(name)) return name.slice(1) < oldestDay;
    return isReservation(name) && (value as StoredReservation).d < oldestDay;
  };
  return Object.entries(item)
    .filter(isStale)
    .map(([name]) => name)
    .slice(0, MAX_CLEARED);
}

/** Whether an attribute holds a reservation, or one that was given back. */
const isReservation = (name: string): boolean => /^[rg]/.test(name);

const usedOf = (item: Item, now: number) => ({
  requests: Number(item[`q${minuteOf(now)}`] ?? 0),
  tokens: Number(item[`s${dayOf(now)}`] ?? 0),
});

const isTooOften = ({ plan, now }: ReserveRequest, item: Item): boolean =>
  plan.requests_per_minute > 0 && usedOf(item, now).requests >= plan.requests_per_minute;

/** Reservations of today whose turns have ended without settling them. */
const deadReservations = (item: Item, now: number): string[] =>
  heldToday(item, now)
    .filter(([, { u }]) => u <= now)
    .map(([name]) => name);

const heldToday = (item: Item, now: number): [name: string, StoredReservation][] =>
  (Object.entries(item) as [string, StoredReservation][]).filter(
    ([name, value]) => name.startsWith("r") && value.d === dayOf(now),
  );

function settleParameters(
  { user, id, day, tokens, stale }: Reservation,
  usage: { input_tokens: number; output_tokens: number } | null,
  costUsd: number,
  isHeld: boolean,
) {
  const used = usage ? usage.input_tokens + usage.output_tokens : 0;
  const mark = `${isHeld ? "r" : "g"}${id}`;
  const names = Object.fromEntries(stale.map((name, n) => [`#x${n}`, name]));
  return {
    Key: limitsKey(user),
    UpdateExpression:
      `REMOVE ${["#r", ...Object.keys(names)].join(", ")} ADD #s :difference` +
      (usage ? ", #i :input, #o :output, #c :cost" : ""),
    ConditionExpression: "attribute_exists(#r)",
    ExpressionAttributeNames: {
      "#r": mark,
      "#s": `s${day}`,
      ...(usage ? { "#i": `i${day}`, "#o": `o${day}`, "#c": `c${day}` } : {}),
      ...names,
    },
    ExpressionAttributeValues: {
      ":difference": used - (isHeld ? tokens : 0),
      ...(usage
        ? { ":input": usage.input_tokens, ":output": usage.output_tokens, ":cost": Math.round(costUsd * NANO) }
        : {}),
    },
  };
}

function tooManyRequests({ plan, now }: ReserveRequest, item: Item): AppError {
  return new AppError(
    "too_many_requests",
    `Rate limit exceeded: plan "${plan.name}" allows ${plan.requests_per_minute} requests per minute.`,
    {
      retryAfter: secondsLeft(now).minute,
      headers: rateLimitHeaders(plan, usedOf(item, now), now),
    },
  );
}

function tooManyTokens({ plan, now, least }: ReserveRequest, item: Item): AppError {
  // Most of the tokens that running turns hold come back when they end.
  const held = heldToday(item, now).reduce((sum, [, { t }]) => sum + t, 0);
  const isHeld = usedOf(item, now).tokens - held + least <= plan.tokens_per_day;
  return new AppError(
    "too_many_requests",
    `Rate limit exceeded: plan "${plan.name}" allows ${plan.tokens_per_day} tokens per day.`,
    {
      retryAfter: isHeld ? HELD_RETRY : secondsLeft(now).day,
      headers: rateLimitHeaders(plan, usedOf(item, now), now),
    },
  );
}
