import { decodeJwt } from "jose";
import { findRunningHost, issueToken } from "../../local/index.ts";

interface TargetOptions {
  url?: string | undefined;
  token?: string | undefined;
  /** The user of all sessions. */
  user?: string | undefined;
  /** The data directory of the local host. */
  data: string;
}

export interface Target {
  url: string;
  token: string;
  /** The user that the token must act for; absent when it is the token's own user. */
  user?: string;
}

const DEFAULT_URL = "http://127.0.0.1:3000";

/** The user of the token that the command makes. `npm start` prints a token of the same user. */
const LOCAL_USER = "dev";

/**
 * Finds the API to import to and a token for it: the given ones, or those of the local host that runs on the data directory.
 * @throws Error when there is no token.
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
    // The token is not a JWT. The server decides whether it is valid.
    return undefined;
  }
}
