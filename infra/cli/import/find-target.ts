import { decodeJwt } from "jose";
import { findRunningHost, issueToken } from "../../local/index.ts";

export interface TargetOptions {
  url?: string | undefined;
  token?: string | undefined;
  /** Whose the sessions will be, if one user's. */
  user?: string | undefined;
  /** The data directory of the local host. */
  data: string;
}

export interface Target {
  url: string;
  token: string;
  /** Whom the token has to act for; absent when it is the user's own. */
  user?: string;
}

const DEFAULT_URL = "http://127.0.0.1:3000";

/** The user of the token that is made here; `npm start` prints one of the same user. */
const LOCAL_USER = "dev";

/**
 * Where to import to, and with which token: those given, or those of the local host that runs on the data directory.
 * @throws Error when there is no token to be had.
 */
export async function findTarget({ url, token, user, data }: TargetOptions): Promise<Target> {
  const local = findRunningHost(data)?.url;
  const chosen = url ?? local ?? DEFAULT_URL;
  const bearer =
    token ?? (isSameOrigin(chosen, local) ? await issueToken(data, { user: LOCAL_USER, actAs: true }) : undefined);
  if (bearer === undefined) {
    throw new Error(`no token for ${chosen}: give --token, or set MEMOCHA_TOKEN, or start the local host (npm start)`);
  }
  const isOwn = user !== undefined && subjectOf(bearer) === user;
  return { url: chosen, token: bearer, ...(user !== undefined && !isOwn && { user }) };
}

function isSameOrigin(url: string, local: string | undefined): boolean {
  return local !== undefined && new URL(url).origin === new URL(local).origin;
}

function subjectOf(token: string): string | undefined {
  try {
    return decodeJwt(token).sub;
  } catch {
    // Not a JWT that can be read here: the server will tell what it is worth.
    return undefined;
  }
}
