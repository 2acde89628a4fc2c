import { useEffect, useState } from "preact/hooks";
import { type ApiError, asApiError } from "../api.ts";
import { listen } from "../listen.ts";
import { texts } from "../texts.ts";

interface FailureProps {
  error: ApiError;
  /** The action that failed, if the error does not name it. */
  text?: string | undefined;
  onAgain: () => void;
}

/** Shows an error and the remedy, at the place of the error. */
export function Failure({ error, text, onAgain }: FailureProps) {
  const [left, setLeft] = useState(Math.ceil((error.retryAfter ?? 0) / 1000));
  useEffect(() => {
    setLeft(Math.ceil((error.retryAfter ?? 0) / 1000));
    const timer = setInterval(() => setLeft((seconds) => Math.max(0, seconds - 1)), 1000);
    return () => clearInterval(timer);
  }, [error]);
  // The network is back: try again without a click.
  useEffect(() => (error.status === 0 ? listen("online", onAgain) : undefined), [error, onAgain]);
  // This is not a failure, because the person has requested the erasure.
  const isErased = error.code === "being_erased";
  return (
    <div class={isErased ? "failure calm" : "failure"} role={isErased ? "status" : "alert"}>
      <p>
        {text ? `${text} ` : ""}
        {explain(error)}
      </p>
      <button type="button" disabled={left > 0} onClick={onAgain}>
        {left > 0 ? texts.errors.wait(left) : texts.errors.again}
      </button>
    </div>
  );
}

/** Describes an error in a sentence for people. */
export function explain(error: unknown): string {
  const { status, message, code } = asApiError(error);
  if (code === "being_erased") return texts.errors.beingErased;
  if (status === 0) return texts.errors.network;
  if (status === 429) return `${texts.errors.limit} ${message}`;
  if (status === 503) return texts.errors.busy;
  return status >= 500 ? `${texts.errors.server} ${message}` : message;
}
