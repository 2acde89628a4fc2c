import { toSeconds } from "../clock.ts";
import { limitsKey } from "../dynamodb/keys.ts";
import type { Item, Table } from "../dynamodb/table.ts";
import { AppError } from "../errors.ts";
import { retention } from "../retention/policy.ts";
import { dayOf, type Limits, type Reservation, type ReserveRequest } from "./limits.ts";
import { rateLimitHeaders, secondsLeft } from "./rate-limit-headers.ts";

/** Attempts at a budget from which others take at the same time. */
const MAX_ATTEMPTS = 4;

/** Seconds after which to come back when turns under way hold the rest of the budget. */
const HELD_RETRY = 5;

/** Parts of a dollar that are counted, so that sums are exact. */
const NANO = 1e9;

/**
 * Usage in the table `conversations`: an item a user, whose attributes have minute and day in their names and begin at nothing.
 *
 *   q<minute>            requests of the minute
 *   s<day>               tokens used and set aside: what the budget is compared with
 *   n, i, o, c<day>      requests, input and output tokens, billionths of a dollar
 *   r<reservation>       a reservation: tokens, day, and when it is given back
 */
export function createLimits(table: Table): Limits {
  return {
    async reserve(request) {
      let { tokens } = request;
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const outcome = await table.update(reserveParameters(request, tokens));
        if (outcome.done) return toReservation(request, tokens, outcome.item ?? {});
        const item = outcome.item ?? {};
        if (isTooOften(request, item)) throw tooManyRequests(request, item);
        const dead = deadReservations(item, request.now);
        if (dead.length > 0) await Promise.all(dead.map((id) => giveBack(request.user, id, item)));
        else {
          const left = request.plan.tokens_per_day - Number(item[`s${dayOf(request.now)}`] ?? 0);
          if (left < request.least) throw tooManyTokens(request, item);
          tokens = Math.min(tokens, left);
        }
      }
      throw new AppError("unavailable", "the budget is contended", { retryAfter: 1 });
    },

    async settle(reservation, usage, costUsd) {
      const settled = await table.update(settleParameters(reservation, usage, costUsd, true));
      // It was given back because it took so long; what it has used is still used.
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
    const { t, d } = item[attribute] as StoredReservation;
    await table.update({
      Key: limitsKey(user),
      UpdateExpression: "REMOVE #r ADD #s :less",
      ConditionExpression: "attribute_exists(#r)",
      ExpressionAttributeNames: { "#r": attribute, "#s": `s${d}` },
      ExpressionAttributeValues: { ":less": -t },
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

function reserveParameters({ user, plan, id, now, until }: ReserveRequest, tokens: number) {
  const day = dayOf(now);
  const conditions: string[] = [];
  if (plan.requests_per_minute > 0) conditions.push("(attribute_not_exists(#q) OR #q < :rpm)");
  // A condition cannot add: what is spent is compared with what may be spent before this.
  const room = plan.tokens_per_day - tokens;
  if (plan.tokens_per_day > 0) conditions.push(room < 0 ? "#s <= :room" : "(attribute_not_exists(#s) OR #s <= :room)");
  return {
    Key: limitsKey(user),
    UpdateExpression: "SET #r = :r, expires_at = :expires ADD #q :one, #n :one, #s :tokens",
    ...(conditions.length > 0 ? { ConditionExpression: conditions.join(" AND ") } : {}),
    ExpressionAttributeNames: { "#r": `r${id}`, "#q": `q${minuteOf(now)}`, "#n": `n${day}`, "#s": `s${day}` },
    ExpressionAttributeValues: {
      ":r": { t: tokens, u: until, d: day } satisfies StoredReservation,
      ":expires": toSeconds(now) + retention.limits.seconds,
      ":one": 1,
      ":tokens": tokens,
      ...(plan.requests_per_minute > 0 ? { ":rpm": plan.requests_per_minute } : {}),
      ...(plan.tokens_per_day > 0 ? { ":room": room } : {}),
    },
    ReturnValues: "ALL_NEW" as const,
    ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
  };
}

function toReservation({ user, plan, id, now }: ReserveRequest, tokens: number, item: Item): Reservation {
  const day = dayOf(now);
  const current = new Set([`q${minuteOf(now)}`, ...["n", "s", "i", "o", "c"].map((letter) => letter + day)]);
  return {
    user,
    id,
    tokens,
    day,
    headers: rateLimitHeaders(plan, usedOf(item, now), now),
    stale: Object.keys(item).filter((name) => /^[qnsioc]\d+$/.test(name) && !current.has(name)),
  };
}

const usedOf = (item: Item, now: number) => ({
  requests: Number(item[`q${minuteOf(now)}`] ?? 0),
  tokens: Number(item[`s${dayOf(now)}`] ?? 0),
});

const isTooOften = ({ plan, now }: ReserveRequest, item: Item): boolean =>
  plan.requests_per_minute > 0 && usedOf(item, now).requests >= plan.requests_per_minute;

const deadReservations = (item: Item, now: number): string[] =>
  Object.entries(item)
    .filter(([name, value]) => name.startsWith("r") && (value as StoredReservation).u <= now)
    .map(([name]) => name);

function settleParameters(
  { user, id, day, tokens, stale }: Reservation,
  usage: { input_tokens: number; output_tokens: number } | null,
  costUsd: number,
  isHeld: boolean,
) {
  const used = usage ? usage.input_tokens + usage.output_tokens : 0;
  const names = Object.fromEntries(stale.map((name, n) => [`#x${n}`, name]));
  return {
    Key: limitsKey(user),
    UpdateExpression:
      `REMOVE ${["#r", ...Object.keys(names)].join(", ")} ADD #s :difference` +
      (usage ? ", #i :input, #o :output, #c :cost" : ""),
    ...(isHeld ? { ConditionExpression: "attribute_exists(#r)" } : {}),
    ExpressionAttributeNames: {
      "#r": `r${id}`,
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
  return new AppError("too_many_requests", `the plan ${plan.name} has ${plan.requests_per_minute} requests a minute`, {
    retryAfter: secondsLeft(now).minute,
    headers: rateLimitHeaders(plan, usedOf(item, now), now),
  });
}

function tooManyTokens({ plan, now, least }: ReserveRequest, item: Item): AppError {
  // What turns under way have set aside, most of it comes back when they end.
  const held = Object.entries(item)
    .filter(([name]) => name.startsWith("r"))
    .reduce((sum, [, value]) => sum + (value as StoredReservation).t, 0);
  const isHeld = usedOf(item, now).tokens - held + least <= plan.tokens_per_day;
  return new AppError("too_many_requests", `the plan ${plan.name} has ${plan.tokens_per_day} tokens a day`, {
    retryAfter: isHeld ? HELD_RETRY : secondsLeft(now).day,
    headers: rateLimitHeaders(plan, usedOf(item, now), now),
  });
}
