import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type ApiError, asApiError, pause } from "../api.ts";
import { useApp } from "../app-context.ts";
import { type JobKind, readJob, writeJob } from "../preferences.ts";

/** Milliseconds between two reads of a running job: the first pause, and the longest. */
const FIRST = 1000;
const LONGEST = 15_000;
const GROWTH = 1.5;

interface JobOptions<T> {
  /** Begins the job, or returns the running one. */
  begin: (headers: Record<string, string>) => Promise<{ id: string }>;
  read: (id: string, signal?: AbortSignal) => Promise<T>;
  /** Called when a job that was running is over. */
  onOver: (job: T) => void;
}

/** The prefix of a kept value that is the key of a request without an answer, and not the id of a job. */
const KEY = "key:";

/**
 * A job that the person has begun, which the page reads until it is over. The id is kept until the tab is closed. If the page is reloaded
 * before the API has answered, it sends the request again with the same key, so that nothing begins twice.
 */
export function useJob<T extends { status: string }>(kind: JobKind, options: JobOptions<T>) {
  const { identity } = useApp();
  const { user } = identity;
  const [stored] = useState(() => readJob(user, kind));
  const [id, setId] = useState(stored.startsWith(KEY) ? "" : stored);
  const [job, setJob] = useState<T>();
  const [isBeginning, setBeginning] = useState(false);
  const [failure, setFailure] = useState<{ error: ApiError; again: () => void }>();
  /** Counts the requests to look again at once. */
  const [round, setRound] = useState(0);
  const heading = useRef<HTMLHeadingElement>(null);
  const current = useRef(options);
  current.current = options;
  const lookAgain = useCallback(() => setRound((n) => n + 1), []);

  useEffect(() => {
    if (id === "") return;
    const abort = new AbortController();
    const { signal } = abort;
    const follow = async () => {
      let wasRunning = false;
      for (let wait = FIRST; !signal.aborted; wait = Math.min(wait * GROWTH, LONGEST)) {
        let least = 0;
        try {
          const found = await current.current.read(id, signal);
          if (signal.aborted) return;
          setJob(found);
          setFailure(undefined);
          if (found.status !== "running") return wasRunning ? current.current.onOver(found) : undefined;
          wasRunning = true;
        } catch (error) {
          if (signal.aborted) return;
          const known = asApiError(error);
          if (known.status === 404) {
            // The job is deleted, or belongs to another deployment.
            writeJob(user, kind, "");
            setJob(undefined);
            return setId("");
          }
          setFailure({ error: known, again: lookAgain });
          least = known.retryAfter ?? 0;
        }
        await pause(Math.max(wait, least), signal).catch(() => {});
      }
    };
    void follow();
    return () => abort.abort();
  }, [id, round, kind, user, lookAgain]);

  const beginWith = useCallback(
    async (key: string) => {
      setBeginning(true);
      setFailure(undefined);
      writeJob(user, kind, KEY + key);
      try {
        const begun = await current.current.begin({ "idempotency-key": key });
        writeJob(user, kind, begun.id);
        setJob(undefined);
        setId(begun.id);
        lookAgain();
      } catch (error) {
        const known = asApiError(error);
        // If there is no answer, the job may have begun.
        if (known.status !== 0) writeJob(user, kind, "");
        setFailure({ error: known, again: () => void beginWith(key) });
      }
      setBeginning(false);
    },
    [kind, user, lookAgain],
  );
  const begin = () => void beginWith(crypto.randomUUID());
  useEffect(() => {
    if (stored.startsWith(KEY)) void beginWith(stored.slice(KEY.length));
  }, [stored, beginWith]);

  // Move the focus, because the button that began the job disappears.
  useLayoutEffect(() => {
    if (isBeginning) heading.current?.focus();
  }, [isBeginning]);

  const isRunning = isBeginning || (id !== "" && (job ? job.status === "running" : !failure));
  return { id, job, isRunning, failure, heading, begin };
}
