import { loadIssuerKey } from "../../../infra/local/issuer/issuer-key.ts";
import { signToken } from "../../../infra/local/issuer/sign-token.ts";

/** Calls the API as one user. Fails when the answer is an error with another status than `status`. */
export type Call = (method: string, route: string, body?: object, more?: CallOptions) => Promise<Answer>;
export interface CallOptions {
  headers?: Record<string, string>;
  /** An error that is as good as an answer. */
  status?: number;
}
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the contract holds the shapes
  body: any;
}

/** Returns a function that calls the API as one user without limits. */
export async function caller({ url }: { url: string }, data: string, user: string): Promise<Call> {
  const token = await signToken(await loadIssuerKey(data), { user, plan: "unlimited" });
  return async (method, route, body, { headers = {}, status } = {}) => {
    const response = await fetch(url + route, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok && response.status !== status) throw new Error(`${method} ${route}: ${response.status} ${text}`);
    const isJson = response.headers.get("content-type")?.includes("json");
    const answer = isJson && text !== "" ? JSON.parse(text) : text;
    if (answer?.result?.isError) throw new Error(`${method} ${route}: ${text}`);
    return { status: response.status, body: answer };
  };
}
