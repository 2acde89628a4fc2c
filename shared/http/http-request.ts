import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type * as z from "zod";
import type { AuditAction } from "../audit/audit-record.ts";
import type { Repeatable } from "../idempotency/attempt.ts";
import type { Person } from "../privacy/person.ts";
import type { RequestIdentity } from "../session/session.ts";
import type { Stored } from "../session/store.ts";
import type { Operation } from "./operations/operation.ts";

/** The parts of a request after validation by the operation's schemas. */
interface Parts {
  params: unknown;
  query: unknown;
  body: unknown;
}

type Part<O, K extends keyof Parts> = O extends { [P in K]: infer T extends z.ZodType } ? z.infer<T> : undefined;

/** A request of operation `O` whose user and parts have been checked. */
export interface HttpRequest<O extends Operation> {
  /** The user whose data the request reaches; empty for public operations. */
  user: string;
  /** The plan that the token names; empty = none. */
  plan: string;
  /** Whether the token is of the group `admin`. */
  isAdmin: boolean;
  /** Reads the choices of the user, once per request. */
  person(): Promise<Person>;
  params: Part<O, "params">;
  query: Part<O, "query">;
  body: Part<O, "body">;
  /** The path in the URL, with the stage or the base path of a custom domain. */
  path: string;
  /** The URL of the API as the client sees it, without a slash at its end. */
  baseUrl: string;
  /** Returns a header by its name in lower case. */
  header(name: string): string | undefined;
  /** The seed of new ids, and the time of the request. */
  identity: RequestIdentity;
  repeatable: Repeatable;
  /** Epoch milliseconds by which the answer must be on its way. */
  deadline: number;
  /** Stores the note of an action that is not the operation's own, before the action. Throws `unavailable`. */
  audit(action: AuditAction): Promise<void>;
  /** Adds the plan and the numbers of stored sessions and messages to the request's metric. */
  observe(observed: Observed): void;
}

/** Facts about a request that its answer does not show. */
interface Observed extends Stored {
  plan?: string;
}

/** Records one metric per request. A failure to write a metric does not fail the request. */
export interface RequestMeter {
  /** Counts the request for this user. */
  setUser(user: string): void;
  /**
   * Adds observations to the metric. After the answer (the request ran out of time, and its work ends later), it records them at once in a
   * separate metric. This has no duration, so it does not count as a request.
   */
  observe(observed: Observed): void;
  /**
   * Stops the time and starts to write the metric. Resolves when the write is over, after 500 ms at most. Later calls only wait for the
   * first one.
   */
  end(answer: Answered): Promise<void>;
}

/** The part of an answer that the meter reads. */
export type Answered = Pick<APIGatewayProxyResult, "statusCode" | "body">;

/** Lambda's context, with the results of the middlewares. */
export interface HttpContext extends Context, Parts {
  meter: RequestMeter;
  /** The user of the token, who may act for `user`. */
  actor: string;
  user: string;
  plan: string;
  isAdmin: boolean;
  /** Resolves when the work of the request is over, possibly after its answer. */
  work?: Promise<void> | undefined;
}

export type Middleware = MiddlewareObj<APIGatewayProxyEvent, APIGatewayProxyResult, Error, HttpContext>;
